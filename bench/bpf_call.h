// bpf(2), for which the C library has no function.
#pragma once

#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

namespace clerk::bench {

// Below 0 with errno, as the kernel says.
inline int bpf_call(bpf_cmd command, bpf_attr& attributes) {
  return static_cast<int>(syscall(SYS_bpf, command, &attributes, sizeof attributes));
}

}  // namespace clerk::bench

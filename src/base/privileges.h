// What the process may do, and giving up what it no longer needs.
//
// Opening a packet socket takes CAP_NET_RAW; counting packets takes nothing. So main opens what
// needs privileges, then calls give_up_privileges once, before any thread exists: the kernel keeps
// capabilities for each thread, and threads inherit those of the one that starts them. From then
// on nothing brings privileges back: not setuid(), not a program that is executed.
//
// Once its account has changed the process is no longer dumpable (prctl(2), PR_SET_DUMPABLE). That
// kernel default is left: a core file would hold other people's packets, and nobody else of the
// same account can trace the process. It still reads its own /proc/self/status, maps and fd.
#pragma once

#include <sys/types.h>

#include <optional>
#include <span>
#include <string>

#include "base/error.h"

namespace clerk {

struct Account {
  std::string name;
  uid_t user;
  gid_t group;
};

// The account of --user: a name or a uid. A uid that no account has stands for itself and for the
// group of the same number, as containers without a password file need it.
[[nodiscard]] Result<Account> find_account(const std::string& name);

// The group of a name or a number, as above. Errors do not name it.
[[nodiscard]] Result<gid_t> find_group(const std::string& name);

// What root becomes when --user is left out: the account `clerk` where there is one, otherwise
// `nobody`.
[[nodiscard]] Account unprivileged_account();

// Whether this thread may use it now: the effective set. For example CAP_NET_RAW of
// <linux/capability.h>.
[[nodiscard]] bool has_capability(int capability);

// Becomes the account, if one is given, with the groups that the system lists for it and no others;
// the process that already is that account keeps the groups it has. Of its capabilities it keeps
// those of `kept_capabilities`, permitted and effective; the inheritable and the ambient set are
// empty, and so is the bounding set where CAP_SETPCAP allows. Executed programs gain nothing
// (PR_SET_NO_NEW_PRIVS). A process without privileges loses none and succeeds.
//
// What was asked is read back from the kernel; an error means that the process must not go on.
[[nodiscard]] Result<void> give_up_privileges(const std::optional<Account>& become,
                                              std::span<const int> kept_capabilities);

// "user nobody (65534), capabilities: net_raw". Without any: "capabilities: none"; most of them are
// told by what is missing: "all", "all but sys_resource".
[[nodiscard]] std::string describe_privileges();

}  // namespace clerk

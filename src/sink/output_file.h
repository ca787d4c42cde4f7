// A file, or stdout, that is written front to back through a buffer. After the first error
// everything is discarded, and error() says why.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/unique_fd.h"

namespace clerk {

class OutputFile {
 public:
  // Creates or empties the file; "-" is stdout.
  static Result<OutputFile> create(const std::string& path);

  // Both return false once writing has failed.
  bool write(std::span<const uint8_t> octets);
  bool write(std::string_view text);

  // Hands everything to the kernel. False once writing has failed.
  bool flush();

  [[nodiscard]] const std::optional<Error>& error() const { return error_; }

 private:
  explicit OutputFile(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  std::string buffer_;
  std::optional<Error> error_;
};

}  // namespace clerk

// The problems of a configuration as they are found: offsets into the text become lines and
// columns, and what was found in any order is told in the order of the text.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "testimonyd/config.h"

namespace clerk {

class ConfigProblems {
 public:
  explicit ConfigProblems(std::string_view text);

  // Of the octet at `offset`; behind the text it goes on counting columns.
  [[nodiscard]] ConfigPlace place_of(size_t offset) const;

  void error(size_t offset, std::string message);
  void warning(size_t offset, std::string message);

  [[nodiscard]] bool has_errors() const { return has_errors_; }

  // All of them, in the order of their places.
  [[nodiscard]] std::vector<ConfigProblem> take();

 private:
  void add(size_t offset, std::string message, ConfigSeverity severity);

  std::vector<size_t> line_starts_{0};
  std::multimap<ConfigPlace, ConfigProblem> problems_;  // of one place as they were found
  bool has_errors_ = false;
};

// The earlier stages begin their messages with clerk's flag and its value, which here are told by
// key and place; this is the rest. It may repeat octets that are not for a terminal: those become
// ?.
[[nodiscard]] std::string message_without_flag(std::string_view flag, const Error& error);

// What somebody wrote, for a message: quoted, and cut where it gets long.
[[nodiscard]] std::string quote_some(std::string_view text);

}  // namespace clerk

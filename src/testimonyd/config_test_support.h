// For the tests of the configuration: a machine that is always the same, and short ways to write a
// socket and to say what is wrong with it.
#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "testimonyd/config.h"

namespace clerk::config_tests {

// One that knows the accounts `capture` and 1000, and takes every filter but "tcp and".
inline ConfigMachine small_machine() {
  const auto find = [](const std::string& name) -> Result<void> {
    if (name == "capture" || name == "1000") return {};
    return fail("no such account");
  };
  const auto check_filter = [](const std::string& expression) -> Result<void> {
    if (expression != "tcp and") return {};
    return fail("syntax error");
  };
  return {.page_octets = 4096, .find_user = find, .find_group = find, .check_filter = check_filter};
}

inline auto parse(std::string_view text) { return parse_config(text, small_machine()); }

// "LINE:COLUMN: error: text" of each.
inline std::vector<std::string> problems_of(std::string_view text) {
  const auto config = parse(text);
  std::vector<std::string> lines;
  for (const ConfigProblem& problem : config ? config->warnings : config.error())
    lines.push_back(describe("", problem).substr(1));
  return lines;
}

inline Config config_of(std::string_view text) {
  auto config = parse(text);
  EXPECT_TRUE(config) << describe("", config.error().front());
  return config ? *std::move(config) : Config{};
}

// A socket with what it must have in line 1, and `rest` in line 2.
inline std::string socket_with(std::string_view rest) {
  return fmt::format(
      "[{{\"SocketName\":\"/s\",\"Interface\":\"e\",\"BlockSize\":4096,\"NumBlocks\":8{}\n{}}}]",
      rest.empty() ? "" : ",", rest);
}

inline SocketConfig socket_of(std::string_view rest) {
  const Config config = config_of(socket_with(rest));
  EXPECT_EQ(config.sockets.size(), 1U);
  return config.sockets.empty() ? SocketConfig{} : config.sockets.front();
}

struct Case {
  std::string text;
  std::vector<std::string> problems;
};

inline void expect_problems(const std::vector<Case>& cases) {
  for (const auto& [text, problems] : cases)
    EXPECT_EQ(problems_of(text), problems) << text;
}

// The same, of the rest of a socket.
inline void expect_problems_of_rest(const std::vector<Case>& cases) {
  for (const auto& [rest, problems] : cases)
    EXPECT_EQ(problems_of(socket_with(rest)), problems) << rest;
}

}  // namespace clerk::config_tests

#include "command_line/flags.h"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace clerk {
namespace {

class Flags : public ::testing::Test {
 protected:
  Flags() {
    app_.add_option("--some_file");
    app_.add_flag("-v,--v,--verbose");
  }

  [[nodiscard]] std::string spelled(std::string argument) const {
    spell_as_registered(app_, argument);
    return argument;
  }

  CLI::App app_;
};

TEST_F(Flags, AreSpelledWithHyphensOrUnderscoresWithOneDashOrTwo) {
  const std::vector<std::pair<std::string, std::string>> expected{
      {"--some_file", "--some_file"},
      {"--some-file", "--some_file"},
      {"-some-file=a-b", "--some_file=a-b"},
      {"--some-file=a-b=c-d", "--some_file=a-b=c-d"},
      {"-v", "-v"},
      {"-v=2", "--v=2"},
      {"--v=2", "--v=2"},
      {"--no-flag", "--no_flag"},  // as it would be registered
      {"-no-flag", "-no-flag"},
      {"-", "-"},
      {"--", "--"},
      {"", ""},
      {"some-file", "some-file"}};
  for (const auto& [argument, registered] : expected)
    EXPECT_EQ(spelled(argument), registered) << argument;
}

TEST_F(Flags, OneThatNobodyKnowsIsToldTheNearest) {
  EXPECT_EQ(describe_unknown_flag(app_, "--some_fil=x"),
            "unknown flag --some_fil; did you mean --some_file?");
  EXPECT_EQ(describe_unknown_flag(app_, "-s"), "unknown flag -s; did you mean --some_file?");
  EXPECT_EQ(describe_unknown_flag(app_, "--another_word"), "unknown flag --another_word");
}

}  // namespace
}  // namespace clerk

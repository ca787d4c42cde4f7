#include "testimony_dump/options.h"

#include <gmock/gmock.h>

#include <vector>

namespace testimony_dump {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::StartsWith;

std::variant<Options, Answer> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "testimony-dump");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

void expect_options(const std::vector<const char*>& arguments, const Options& options) {
  const auto parsed = parse(arguments);
  ASSERT_TRUE(std::holds_alternative<Options>(parsed)) << std::get<Answer>(parsed).text;
  EXPECT_EQ(std::get<Options>(parsed), options);
}

// The text of an answer that ends with this status.
std::string answer_to(const std::vector<const char*>& arguments, int exit_status) {
  const auto parsed = parse(arguments);
  if (!std::holds_alternative<Answer>(parsed)) return "no answer";
  EXPECT_EQ(std::get<Answer>(parsed).exit_status, exit_status);
  return std::get<Answer>(parsed).text;
}

TEST(Options, ASocketIsEnough) { expect_options({"/run/x"}, {.socket = "/run/x"}); }

TEST(Options, TakesWhatThereIs) {
  expect_options({"/run/x", "--index", "0", "--count", "10", "-w", "-"},
                 {.socket = "/run/x", .index = 0, .count = 10, .file = "-"});
}

TEST(Options, HelpAndVersionAreAnswers) {
  EXPECT_THAT(answer_to({"--help"}, kExitDone), AllOf(HasSubstr("--index"), HasSubstr("Examples")));
  EXPECT_THAT(answer_to({"--version"}, kExitDone), StartsWith("testimony-dump "));
}

TEST(Options, WithoutArgumentsTellsHowToBegin) {
  EXPECT_THAT(answer_to({}, kExitBadUsage), AllOf(HasSubstr("Examples"), HasSubstr("--help")));
}

TEST(Options, SaysWhatIsWrong) {
  for (const std::vector<const char*>& wrong :
       std::vector<std::vector<const char*>>{{"--count", "1"},
                                             {"/run/x", "/run/y"},
                                             {"/run/x", "--count", "0"},
                                             {"/run/x", "--index", "-1"},
                                             {"/run/x", "--index", "x"},
                                             {"/run/x", "--colour"}})
    EXPECT_THAT(answer_to(wrong, kExitBadUsage), StartsWith("testimony-dump: "));
}

}  // namespace
}  // namespace testimony_dump

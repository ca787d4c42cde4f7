// --explain on the command line, and what the plan of a run makes of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "clerk/explained_packets.h"
#include "clerk/options.h"
#include "clerk/plan.h"

namespace clerk {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

std::variant<Options, Answer> parse_explained(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "clerk");
  return parse_command_line(static_cast<int>(arguments.size()), arguments.data());
}

Options explained_options(std::vector<const char*> more) {
  more.insert(more.begin(), {"--read", "x.pcap", "--explain", "10.0.0.1:5>*/udp"});
  const auto parsed = parse_explained(std::move(more));
  const auto* answer = std::get_if<Answer>(&parsed);
  EXPECT_EQ(answer, nullptr) << answer->text;
  return answer == nullptr ? std::get<Options>(parsed) : Options{};
}

std::string explain_error(const std::vector<const char*>& arguments) {
  const auto parsed = parse_explained(arguments);
  const auto* answer = std::get_if<Answer>(&parsed);
  if (answer == nullptr) return "no error";
  EXPECT_EQ(answer->exit_status, kExitBadUsage);
  return answer->text;
}

TEST(ExplainOptions, TakeTheCsvFromStdout) {
  const Options options = explained_options({});
  EXPECT_EQ(options.explain, parse_explain_expression("10.0.0.1:5>*/udp").value());
  EXPECT_THAT(options.collectors, IsEmpty());
}

TEST(ExplainOptions, LeaveOtherCollectorsAlone) {
  EXPECT_THAT(
      explained_options({"--collector", "csv:x.csv", "--collector", "udp://10.0.0.9"}).collectors,
      SizeIs(2));
}

TEST(ExplainOptions, AnExpressionMayHaveBracketsAndBeginWithAnything) {
  for (const char* text : {"[2001:db8::1]:53>*/udp", "*>*", ">10.0.0.1"}) {
    const auto parsed = parse_explained({"--read=x.pcap", "--explain", text});
    ASSERT_TRUE(std::holds_alternative<Options>(parsed)) << std::get<Answer>(parsed).text;
    EXPECT_EQ(std::get<Options>(parsed).explain, parse_explain_expression(text).value()) << text;
  }
}

TEST(ExplainOptions, ABadExpressionIsBadUsage) {
  EXPECT_THAT(explain_error({"--read=x.pcap", "--explain", "10.0.0.1"}),
              HasSubstr("--explain '10.0.0.1': there is no >"));
  EXPECT_THAT(explain_error({"--read=x.pcap", "--explain", ""}),
              HasSubstr("--explain '': there is"));
}

TEST(ExplainOptions, NothingElseMayWriteToStdout) {
  for (const char* collector : {"stdout", "csv:-", "json:-", "file:-"}) {
    EXPECT_THAT(
        explain_error({"--read=x.pcap", "--explain", "*>*", "--collector", collector}),
        HasSubstr(fmt::format("--explain and --collector {}: both write to stdout", collector)));
  }
}

TEST(ExplainOptions, OnlyFilesAreExplainedAndByOneThread) {
  EXPECT_THAT(explain_error({"--interface", "lo", "--explain", "*>*"}),
              HasSubstr("--explain: only with --read"));
  EXPECT_THAT(explain_error({"--explain", "*>*"}), HasSubstr("nothing to read"));
  EXPECT_THAT(explain_error({"--read=x.pcap", "--explain", "*>*", "--threads", "2"}),
              HasSubstr("--explain and --threads 2: packets are explained by one thread"));
  EXPECT_THAT(explain_error({"--read=x.pcap", "--explain", "*>*", "--ledger_threads", "2"}),
              HasSubstr("--explain and --ledger_threads 2: packets are explained by one thread"));
  EXPECT_EQ(explained_options({"--threads", "1"}).threads, 1U);
}

TEST(ExplainOptions, TheMemoryBoundHasRoomForWhatIsHeld) {
  Options options{.read = {"x.pcap"}, .threads = 1, .flows_max = 1};
  EXPECT_THAT(describe_memory(options, 0), Not(HasSubstr("explanations")));
  options.explain.emplace();
  EXPECT_THAT(describe_memory(options, 0),
              HasSubstr(fmt::format("{} for explanations", ExplainedPackets::kOctetsMax >> 20)));
}

}  // namespace
}  // namespace clerk

#include "base/spelling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

namespace clerk {
namespace {

// The distance by its definition.
size_t slow_distance(std::string_view a, std::string_view b) {
  if (a.empty()) return b.size();
  if (b.empty()) return a.size();
  const size_t replaced = slow_distance(a.substr(1), b.substr(1)) + (a[0] == b[0] ? 0 : 1);
  return std::min({replaced, slow_distance(a.substr(1), b) + 1, slow_distance(a, b.substr(1)) + 1});
}

TEST(Spelling, ChoosesTheCandidateOfFewestEdits) {
  const std::vector<std::string> flags{"--read", "--threads", "--timestamps", "--flows_max"};
  EXPECT_EQ(nearest("--reed", flags), "--read");
  EXPECT_EQ(nearest("--thread", flags), "--threads");
  EXPECT_EQ(nearest("--flow_max", flags), "--flows_max");
  EXPECT_EQ(nearest("--timestamps", flags), "--timestamps");
}

TEST(Spelling, ChoosesTheFirstOfEqualCandidates) {
  const std::vector<std::string> candidates{"ab", "ac"};
  EXPECT_EQ(nearest("a", candidates), "ab");
}

TEST(Spelling, HasNoAnswerToAnotherWord) {
  const std::vector<std::string> flags{"--read", "--filter", "--version"};
  EXPECT_EQ(nearest("--interface", flags), std::nullopt);
  EXPECT_EQ(nearest("--testimony", flags), std::nullopt);
  EXPECT_EQ(nearest("", flags), std::nullopt);
}

TEST(Spelling, AllowsAsManyEditsAsItIsTold) {
  const std::vector<std::string> keys{"user", "group"};
  EXPECT_EQ(nearest("usr", keys, 1), "user");
  EXPECT_EQ(nearest("name", keys), "user");
  EXPECT_EQ(nearest("name", keys, 2), std::nullopt);
}

TEST(Spelling, AgreesWithTheDefinitionOfTheDistance) {
  std::mt19937 random(1);
  const auto word = [&] {
    std::string letters(random() % 6, 'a');
    for (char& letter : letters)
      letter = static_cast<char>('a' + random() % 3);
    return letters;
  };
  for (int i = 0; i < 500; ++i) {
    const std::string searched = word();
    const std::vector<std::string> candidates{word(), word(), word()};
    const auto wanted = std::ranges::min_element(candidates, {}, [&](const std::string& candidate) {
      return slow_distance(searched, candidate);
    });
    const bool near = slow_distance(searched, *wanted) <= kEditsMax;
    ASSERT_EQ(nearest(searched, candidates), near ? std::optional(*wanted) : std::nullopt)
        << searched;
  }
}

}  // namespace
}  // namespace clerk

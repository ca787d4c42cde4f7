#include "testimonyd/config_problems.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/quote.h"

namespace clerk {

ConfigProblems::ConfigProblems(std::string_view text) {
  for (size_t at = text.find('\n'); at != std::string_view::npos; at = text.find('\n', at + 1))
    line_starts_.push_back(at + 1);
}

ConfigPlace ConfigProblems::place_of(size_t offset) const {
  const auto next_line = std::ranges::upper_bound(line_starts_, offset);
  const auto line = static_cast<size_t>(next_line - line_starts_.begin());
  return {line, offset - *std::prev(next_line) + 1};
}

void ConfigProblems::error(size_t offset, std::string message) {
  has_errors_ = true;
  add(offset, std::move(message), ConfigSeverity::Error);
}

void ConfigProblems::warning(size_t offset, std::string message) {
  add(offset, std::move(message), ConfigSeverity::Warning);
}

void ConfigProblems::add(size_t offset, std::string message, ConfigSeverity severity) {
  const ConfigPlace place = place_of(offset);
  problems_.emplace(place, ConfigProblem{place.line, place.column, std::move(message), severity});
}

std::vector<ConfigProblem> ConfigProblems::take() {
  std::vector<ConfigProblem> taken;
  taken.reserve(problems_.size());
  for (auto& [place, problem] : problems_)
    taken.push_back(std::move(problem));
  problems_.clear();
  return taken;
}

std::string message_without_flag(std::string_view flag, const Error& error) {
  std::string message = error.message;
  if (message.starts_with(flag)) message.erase(0, flag.size());
  std::ranges::replace_if(message, [](char octet) { return octet < ' ' || octet > '~'; }, '?');
  return message;
}

std::string quote_some(std::string_view text) {
  constexpr size_t kShownMax = 120;  // longer than any name or path that makes sense
  return text.size() <= kShownMax ? quote(text) : quote(text.substr(0, kShownMax)) + "...";
}

std::string describe(std::string_view file, const ConfigProblem& problem) {
  const bool is_error = problem.severity == ConfigSeverity::Error;
  return fmt::format("{}:{}:{}: {}: {}", file, problem.line, problem.column,
                     is_error ? "error" : "warning", problem.message);
}

}  // namespace clerk

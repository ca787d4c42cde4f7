#include "command_line/flags.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "base/spelling.h"

namespace clerk {
namespace {

std::vector<std::string> known_flags(const CLI::App& app) {
  std::vector<std::string> flags;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_lnames())
      flags.push_back("--" + name);
  }
  return flags;
}

// Other programs have flags of one letter: -i and -r, for example.
std::optional<std::string> long_form(const std::string& flag,
                                     const std::vector<std::string>& flags) {
  const auto found = std::ranges::find_if(
      flags, [&](const std::string& candidate) { return candidate.starts_with("-" + flag); });
  return found == flags.end() ? std::nullopt : std::optional(*found);
}

}  // namespace

void spell_as_registered(const CLI::App& app, std::string& argument) {
  const size_t dashes = argument.starts_with("--") ? 2 : 1;
  if (!argument.starts_with('-') || argument.size() <= dashes + 1) return;
  const size_t name_end = std::min(argument.find('='), argument.size());
  std::string name = argument.substr(dashes, name_end - dashes);
  std::ranges::replace(name, '-', '_');
  const bool known = app.get_option_no_throw("--" + name) != nullptr;
  if (dashes == 2 || known) argument.replace(0, name_end, "--" + name);
}

std::string describe_unknown_flag(const CLI::App& app, const std::string& argument) {
  const std::string name = argument.substr(0, argument.find('='));
  const auto flags = known_flags(app);
  const auto similar = name.size() == 2 ? long_form(name, flags) : nearest(name, flags);
  return fmt::format("unknown flag {}{}", name,
                     similar ? fmt::format("; did you mean {}?", *similar) : std::string());
}

}  // namespace clerk

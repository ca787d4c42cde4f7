// What the command lines of the programs have in common: how flags may be spelled, and what is said
// of one that nobody knows. CLI11 reads the arguments; each program has its own flags, in its
// options.cc.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace clerk {

// --Some-flag=a-b becomes --Some_flag=a-b: one spelling is registered, both are accepted, also with
// one dash, as the flags of the original programs were.
void spell_as_registered(const CLI::App& app, std::string& argument);

// "unknown flag --colector; did you mean --collector?", of an argument that begins with a dash.
[[nodiscard]] std::string describe_unknown_flag(const CLI::App& app, const std::string& argument);

}  // namespace clerk

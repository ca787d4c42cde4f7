// Helps people who nearly know a flag.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace clerk {

// The candidate that takes the fewest insertions, deletions and replacements to become `word`.
// There must be at least one.
std::string nearest(std::string_view word, std::span<const std::string> candidates);

}  // namespace clerk

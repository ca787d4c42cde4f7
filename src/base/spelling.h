// Helps people who nearly know a word: a flag, or a key of a file.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace clerk {

// More edits make another word.
inline constexpr size_t kEditsMax = 4;

// The candidate that takes the fewest insertions, deletions and replacements to become `word`, if
// no more than `edits_max` do.
std::optional<std::string> nearest(std::string_view word, std::span<const std::string> candidates,
                                   size_t edits_max = kEditsMax);

}  // namespace clerk

#include "testimony/failure.h"

#include <algorithm>
#include <system_error>

namespace testimony {
namespace {

constexpr size_t kTextOctetsMax = 300;  // a sentence or three

}  // namespace

std::unexpected<Error> fail_by_errno(const std::string& what, int error_number) {
  return fail(Failure::System, what + ": " + std::generic_category().message(error_number));
}

std::string printable(std::span<const uint8_t> text) {
  const auto kept = text.first(std::min(text.size(), kTextOctetsMax));
  std::string printed;
  for (const uint8_t octet : kept)
    printed += octet >= ' ' && octet <= '~' ? static_cast<char>(octet) : '?';
  if (kept.size() < text.size()) printed += "...";
  return printed;
}

}  // namespace testimony

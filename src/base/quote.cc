#include "base/quote.h"

#include <fmt/format.h>

#include <iterator>

namespace clerk {

std::string quote(std::string_view text) {
  std::string quoted = "'";
  for (const char octet : text) {
    if (octet >= ' ' && octet <= '~' && octet != '\\') {
      quoted += octet;
    } else {
      fmt::format_to(std::back_inserter(quoted), "\\x{:02x}", static_cast<unsigned char>(octet));
    }
  }
  return quoted += '\'';
}

}  // namespace clerk

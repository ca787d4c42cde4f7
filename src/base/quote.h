// Text from outside in a message: in quotes, and without octets that would do something to a
// terminal or a log.
#pragma once

#include <string>
#include <string_view>

namespace clerk {

// 'text', in which every octet that is no printable ASCII is written as \xNN.
std::string quote(std::string_view text);

}  // namespace clerk

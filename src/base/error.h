// Operating errors as values: what a function returns when the world, not the program, is at fault.
//
// A Result<T> holds a T or an Error; the Error's message is written for the person at the keyboard:
// it names the flag, file or destination at fault and, where there is one, the way out. TRY passes
// an error up to whoever decides. Bad packets are no errors (they are counted, see decode/decode.h)
// and programmer mistakes are CHECKs (check.h).
#pragma once

#include <fmt/format.h>

#include <expected>
#include <string>
#include <utility>

namespace clerk {

struct Error {
  std::string message;
};

template <typename T>
using Result = std::expected<T, Error>;

template <typename... Args>
[[nodiscard]] std::unexpected<Error> fail(fmt::format_string<Args...> format, Args&&... args) {
  return std::unexpected(Error{fmt::format(format, std::forward<Args>(args)...)});
}

// The text of an errno value, thread-safe.
std::string errno_text(int error_number);

}  // namespace clerk

// The value of a Result, or the enclosing function returns its error. One TRY for each call.
#define TRY(expression)                                                       \
  __extension__({                                                             \
    auto try_result_ = (expression);                                          \
    if (!try_result_) return std::unexpected(std::move(try_result_).error()); \
    *std::move(try_result_);                                                  \
  })

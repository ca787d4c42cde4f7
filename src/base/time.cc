#include "base/time.h"

#include <chrono>

namespace clerk {
namespace {

char* put_digits(char* to, uint64_t value, int digits) {
  for (int i = digits - 1; i >= 0; --i) {
    to[i] = static_cast<char>('0' + value % 10);
    value /= 10;
  }
  return to + digits;
}

}  // namespace

uint64_t wall_clock_ns() {
  const auto since_1970 = std::chrono::system_clock::now().time_since_epoch();
  return static_cast<uint64_t>(std::chrono::nanoseconds(since_1970).count());
}

std::string_view format_time(uint64_t time_ns, std::array<char, kTimeTextSize>& buffer) {
  const uint64_t second = time_ns / kNanosecondsPerSecond;
  const uint64_t second_of_day = second % 86400;
  const std::chrono::sys_days day{std::chrono::days{static_cast<int>(second / 86400)}};
  const std::chrono::year_month_day date{day};
  char* to = buffer.data();
  to = put_digits(to, static_cast<uint64_t>(static_cast<int>(date.year())), 4);
  *to++ = '-';
  to = put_digits(to, static_cast<unsigned>(date.month()), 2);
  *to++ = '-';
  to = put_digits(to, static_cast<unsigned>(date.day()), 2);
  *to++ = 'T';
  to = put_digits(to, second_of_day / 3600, 2);
  *to++ = ':';
  to = put_digits(to, second_of_day / 60 % 60, 2);
  *to++ = ':';
  to = put_digits(to, second_of_day % 60, 2);
  *to++ = '.';
  to = put_digits(to, time_ns % kNanosecondsPerSecond, 9);
  *to = 'Z';
  return {buffer.data(), buffer.size()};
}

}  // namespace clerk

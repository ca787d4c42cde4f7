#include "base/cpu_list.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <iterator>
#include <optional>
#include <ranges>
#include <string>

namespace clerk {
namespace {

constexpr size_t kCpusInUnit = CPU_SETSIZE;  // 1024; machines with more CPUs need several units

// A kernel's set of CPUs, as large as it takes.
class CpuSet {
 public:
  explicit CpuSet(size_t units) : units_(units) {}

  void add(uint32_t cpu) { CPU_SET_S(cpu, octets(), data()); }
  [[nodiscard]] bool has(uint32_t cpu) const { return CPU_ISSET_S(cpu, octets(), data()) != 0; }
  [[nodiscard]] uint32_t end() const { return static_cast<uint32_t>(units_.size() * kCpusInUnit); }
  [[nodiscard]] size_t units() const { return units_.size(); }
  [[nodiscard]] size_t octets() const { return units_.size() * sizeof(cpu_set_t); }
  [[nodiscard]] const cpu_set_t* data() const { return units_.data(); }
  cpu_set_t* data() { return units_.data(); }

 private:
  std::vector<cpu_set_t> units_;
};

// The kernel refuses a set smaller than its own with EINVAL.
Result<CpuSet> allowed_cpus() {
  constexpr size_t kUnitsMax = 64;
  for (size_t units = 1; units <= kUnitsMax; units *= 2) {
    CpuSet set(units);
    if (::sched_getaffinity(0, set.octets(), set.data()) == 0) return set;
    if (errno != EINVAL) break;
  }
  return fail("--cpus: the CPUs of this process cannot be read: {}", errno_text(errno));
}

struct Range {
  uint32_t first;
  uint32_t last;
};

std::string format_range(const Range& range) {
  if (range.first == range.last) return fmt::to_string(range.first);
  return fmt::format("{}-{}", range.first, range.last);
}

// As --cpus would be written.
std::string format_cpus(const CpuSet& set) {
  std::vector<Range> ranges;
  for (uint32_t cpu = 0; cpu < set.end(); ++cpu) {
    if (!set.has(cpu)) continue;
    if (!ranges.empty() && ranges.back().last + 1 == cpu)
      ranges.back().last = cpu;
    else
      ranges.push_back({cpu, cpu});
  }
  std::vector<std::string> texts;
  std::ranges::transform(ranges, std::back_inserter(texts), format_range);
  return fmt::format("{}", fmt::join(texts, ","));
}

std::optional<uint32_t> parse_number(std::string_view text) {
  uint32_t number = 0;
  const auto [at, error] = std::from_chars(text.begin(), text.end(), number);
  if (error != std::errc{} || at != text.end()) return std::nullopt;
  return number;
}

// "8" or "0-3".
std::optional<Range> parse_range(std::string_view text) {
  const size_t dash = text.find('-');
  const auto first = parse_number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : parse_number(text.substr(dash + 1));
  if (!first || !last || *first > *last) return std::nullopt;
  return Range{*first, *last};
}

std::unexpected<Error> how_to_write(std::string_view text) {
  return fail("--cpus {}: write CPU numbers and ranges of them with commas between, such as 0-3,8",
              text);
}

Result<std::vector<Range>> parse_ranges(std::string_view text) {
  std::vector<Range> ranges;
  for (const auto item : std::views::split(text, ',')) {
    const auto range = parse_range(std::string_view(item));
    if (!range) return how_to_write(text);
    ranges.push_back(*range);
  }
  if (ranges.empty()) return how_to_write(text);
  return ranges;
}

}  // namespace

Result<std::vector<uint32_t>> parse_cpu_list(std::string_view text) {
  const auto ranges = TRY(parse_ranges(text));
  const CpuSet allowed = TRY(allowed_cpus());
  CpuSet named(allowed.units());
  std::vector<uint32_t> cpus;
  for (const Range& range : ranges) {
    // 64 bits, or the loop would not end at the largest number. Its first CPU that is not allowed
    // ends it long before.
    for (uint64_t each = range.first; each <= range.last; ++each) {
      const auto cpu = static_cast<uint32_t>(each);
      if (!allowed.has(cpu))
        return fail("--cpus {}: this process may not run on CPU {}, only on {}", text, cpu,
                    format_cpus(allowed));
      if (named.has(cpu)) return fail("--cpus {}: CPU {} is named twice", text, cpu);
      named.add(cpu);
      cpus.push_back(cpu);
    }
  }
  return cpus;
}

Result<void> pin_thread_to(uint32_t cpu) {
  CpuSet set(cpu / kCpusInUnit + 1);
  set.add(cpu);
  const int error = ::pthread_setaffinity_np(::pthread_self(), set.octets(), set.data());
  if (error != 0)
    return fail("--cpus: no thread can be kept on CPU {}: {}", cpu, errno_text(error));
  return {};
}

}  // namespace clerk

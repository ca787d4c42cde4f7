#include "flow/asn_csv.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <utility>

#include "base/quote.h"
#include "base/read_file.h"

namespace clerk {
namespace {

constexpr size_t kFileOctetsMax = size_t{1} << 30;  // twenty times a list of all routed prefixes
// Two addresses at their longest, a number and plenty of blanks.
constexpr size_t kLineOctetsMax = 256;

// A line's claim to a range.
struct Claim {
  AsnRange range;
  uint64_t line = 0;
};

struct Problem {
  uint64_t line;
  std::string text;
};

// A line that overlaps an earlier one.
struct Overlap {
  uint64_t line;
  uint64_t earlier;
};

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kBlanks = " \t\r";
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

// Takes what comes before the next `separator`, or all.
std::string_view take_until(char separator, std::string_view& text) {
  const size_t end = std::min(text.find(separator), text.size());
  const std::string_view taken = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return taken;
}

// An address of IPv6 that only wraps one of IPv4.
bool wraps_ipv4(const in6_addr& address) {
  return IN6_IS_ADDR_V4MAPPED(&address) || std::all_of(address.s6_addr, address.s6_addr + 12,
                                                       [](uint8_t octet) { return octet == 0; });
}

std::optional<IpAddress> parse_address(std::string_view text) {
  std::array<char, kIpAddressTextMax> terminated{};
  if (text.size() >= terminated.size()) return std::nullopt;
  std::ranges::copy(text, terminated.begin());
  in6_addr v6{};
  if (!text.contains(':')) {
    in_addr v4{};
    if (::inet_pton(AF_INET, terminated.data(), &v4) != 1) return std::nullopt;
    std::memcpy(v6.s6_addr + 12, &v4, sizeof v4);
  } else if (::inet_pton(AF_INET6, terminated.data(), &v6) != 1) {
    return std::nullopt;
  }
  if (wraps_ipv4(v6)) return IpAddress::from_wire(IpVersion::V4, v6.s6_addr + 12);
  return IpAddress::from_wire(IpVersion::V6, v6.s6_addr);
}

std::optional<uint32_t> parse_asn(std::string_view text) {
  uint32_t asn = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), asn);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return asn;
}

Result<AsnRange> make_range(std::string_view first_text, std::string_view last_text,
                            std::string_view asn_text) {
  const auto first = parse_address(first_text);
  if (!first) return fail("{} is no IP address", quote(first_text));
  const auto last = parse_address(last_text);
  if (!last) return fail("{} is no IP address", quote(last_text));
  const auto asn = parse_asn(asn_text);
  if (!asn) return fail("{} is no AS number (0 to 4294967295)", quote(asn_text));
  if (first->version != last->version) {
    return fail("{} and {} are of different IP versions", first_text, last_text);
  }
  if (is_before(*last, *first)) return fail("{} comes behind {}", first_text, last_text);
  return AsnRange{.first = *first, .last = *last, .asn = *asn};
}

Result<AsnRange> parse_line(std::string_view line) {
  if (line.size() > kLineOctetsMax) return fail("is longer than {} octets", kLineOctetsMax);
  if (line.contains('\0')) return fail("holds a NUL octet");
  const auto commas = std::ranges::count(line, ',');
  if (commas != 2) {
    return fail("has {} {} instead of three: first address,last address,asn", commas + 1,
                commas == 0 ? "field" : "fields");
  }
  const std::string_view first = trimmed(take_until(',', line));
  const std::string_view last = trimmed(take_until(',', line));
  return make_range(first, last, trimmed(line));
}

// Lets the lines of a group claim their ranges, in the order of the file.
class ClaimsInOrder {
 public:
  // The line of an earlier claim that is in the way, or nothing: the claim is granted.
  std::optional<uint64_t> claim(const Claim& claim) {
    const auto behind = granted_.upper_bound(claim.range.last);
    if (behind != granted_.begin()) {
      const Claim& before = *std::prev(behind)->second;
      if (!is_before(before.range.last, claim.range.first)) return before.line;
    }
    granted_.emplace(claim.range.first, &claim);
    return std::nullopt;
  }

 private:
  struct IsBefore {
    bool operator()(const IpAddress& left, const IpAddress& right) const {
      return is_before(left, right);
    }
  };
  std::map<IpAddress, const Claim*, IsBefore> granted_;  // by their first addresses
};

class AsnCsvParser {
 public:
  void parse(std::string_view text) {
    for (uint64_t number = 1; !text.empty(); ++number)
      take_line(trimmed(take_until('\n', text)), number);
  }

  Result<AsnCsv> finish() {
    std::vector<AsnRange> ranges = settle_claims();
    note_overlaps();
    std::vector<std::string> problems = first_problems();
    if (ranges.empty()) {
      return fail("there is not one line to use, as 192.0.2.0,192.0.2.255,64496 would be{}{}",
                  problems.empty() ? "" : "; ", problems.empty() ? "" : problems.front());
    }
    return AsnCsv{.table = AsnTable(std::move(ranges)),
                  .problems = std::move(problems),
                  .lines_skipped = lines_skipped_};
  }

 private:
  void take_line(std::string_view line, uint64_t number) {
    if (line.empty() || line.front() == '#') return;
    const auto range = parse_line(line);
    if (range) {
      claims_.push_back({.range = *range, .line = number});
    } else {
      skip(number, range.error().message);
    }
  }

  void skip(uint64_t number, std::string_view reason) {
    ++lines_skipped_;
    if (problems_.size() < AsnCsv::kProblemsMax)
      problems_.push_back({number, fmt::format("line {}: {}", number, reason)});
  }

  // Claims sorted by address fall into groups that share no address. A claim that is a group by
  // itself is granted; usually all are.
  std::vector<AsnRange> settle_claims() {
    std::ranges::sort(claims_, is_before, [](const Claim& claim) { return claim.range.first; });
    std::vector<AsnRange> ranges;
    ranges.reserve(claims_.size());
    for (std::span<Claim> left = claims_; !left.empty();) {
      const size_t size = group_size(left);
      if (size == 1) {
        ranges.push_back(left.front().range);
      } else {
        settle_group(left.first(size), ranges);
      }
      left = left.subspan(size);
    }
    return ranges;
  }

  // How many claims from the first one on overlap another one of them.
  static size_t group_size(std::span<const Claim> claims) {
    IpAddress last = claims.front().range.last;
    size_t size = 1;
    for (; size < claims.size() && !is_before(last, claims[size].range.first); ++size)
      last = std::max(last, claims[size].range.last, is_before);
    return size;
  }

  void settle_group(std::span<Claim> group, std::vector<AsnRange>& ranges) {
    std::ranges::sort(group, {}, &Claim::line);
    ClaimsInOrder in_order;
    for (const Claim& claim : group) {
      if (const auto earlier = in_order.claim(claim)) {
        overlaps_.push_back({.line = claim.line, .earlier = *earlier});
      } else {
        ranges.push_back(claim.range);
      }
    }
  }

  void note_overlaps() {
    std::ranges::sort(overlaps_, {}, &Overlap::line);
    lines_skipped_ += overlaps_.size();
    for (const auto& [line, earlier] :
         std::span(overlaps_).first(std::min(overlaps_.size(), AsnCsv::kProblemsMax)))
      problems_.push_back({line, fmt::format("line {}: overlaps line {}", line, earlier)});
  }

  std::vector<std::string> first_problems() {
    std::ranges::sort(problems_, {}, &Problem::line);
    std::vector<std::string> texts;
    for (Problem& problem : problems_) {
      if (texts.size() < AsnCsv::kProblemsMax) texts.push_back(std::move(problem.text));
    }
    return texts;
  }

  std::vector<Claim> claims_;
  std::vector<Problem> problems_;  // at most kProblemsMax of each kind
  std::vector<Overlap> overlaps_;
  uint64_t lines_skipped_ = 0;
};

}  // namespace

Result<AsnCsv> parse_asn_csv(std::string_view text) {
  AsnCsvParser parser;
  parser.parse(text);
  return parser.finish();
}

Result<AsnCsv> load_asn_csv(const std::string& path) {
  const std::string text = TRY(read_file(path, kFileOctetsMax));
  auto csv = parse_asn_csv(text);
  if (!csv) return fail("{}: {}", path, csv.error().message);
  return csv;
}

}  // namespace clerk

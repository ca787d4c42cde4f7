#include "testimonyd/config_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <iterator>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/spelling.h"

namespace clerk {
namespace {

using Json = nlohmann::json;

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";  // the parser passes over it
constexpr std::string_view kBlanks = " \t\r\n";

// Between the end of a token and the begin of the next value or key.
constexpr std::string_view kBetweenTokens = " \t\r\n,:";

// Of true, false and null; and of numbers, none of which ends with a letter.
constexpr std::string_view kOctetsOfNames = "abcdefghijklmnopqrstuvwxyz";
constexpr std::string_view kOctetsOfNumbers = "0123456789+-.eE";

// Longer than any key, and not long enough to make the search for a similar one costly.
constexpr size_t kKeyOctetsMax = 64;

// The text for the parser, which tells how far it has been read.
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(std::string_view text, size_t at, size_t& octets_read)
      : text_(text), at_(at), octets_read_(&octets_read) {}

  reference operator*() const { return text_[at_]; }
  CountingIterator& operator++() {
    *octets_read_ = ++at_;
    return *this;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }

 private:
  std::string_view text_;
  size_t at_;
  size_t* octets_read_;
};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  std::ranges::transform(lower, lower.begin(), [](char letter) {
    return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter;
  });
  return lower;
}

std::optional<ConfigKey> find_key(std::string_view name) {
  const auto found = std::ranges::find(kConfigKeys, lower_case(name), [](const auto& description) {
    return lower_case(description.name);
  });
  return found == kConfigKeys.end() ? std::nullopt : std::optional(found->key);
}

// Half of a word must be there: any short word is a few edits from any other.
std::string similar_key(std::string_view name) {
  std::vector<std::string> names;
  names.reserve(kConfigKeys.size());
  for (const ConfigKeyDescription& description : kConfigKeys)
    names.push_back(lower_case(description.name));
  const auto similar = name.size() > kKeyOctetsMax
                           ? std::nullopt
                           : nearest(lower_case(name), names, std::min(kEditsMax, name.size() / 2));
  if (!similar) return "";
  return fmt::format("; did you mean {}?", description_of(*find_key(*similar)).name);
}

std::string_view name_of(ConfigType type) {
  switch (type) {
    case ConfigType::Null: return "null";
    case ConfigType::Bool: return "true or false";
    case ConfigType::Integer: return "an integer";
    case ConfigType::OtherNumber: return "a number with a fraction or an exponent";
    case ConfigType::String: return "a string";
    case ConfigType::Array: return "an array";
    case ConfigType::Object: return "an object";
  }
  return "";
}

// What the parser says, without the numbers of its own that surround it: "unexpected X; expected Y"
// of a token in the wrong place, another text of one that is none.
std::string cause_of(std::string_view what) {
  if (what.find("out_of_range") != std::string_view::npos) return "a number is out of range";
  const size_t dash = what.find(" - ");
  if (dash != std::string_view::npos) what.remove_prefix(dash + 3);
  std::string cause(what.substr(0, what.find("; last read:")));
  constexpr std::string_view kExpected = "; expected ";
  const size_t expected = cause.find(kExpected) + kExpected.size();
  if (cause.ends_with("; expected ']'") || cause.ends_with("; expected '}'"))
    cause.insert(expected, "',' or ");
  return cause;
}

// The events of nlohmann-json's parser, which returns as soon as one of them is answered with
// false. They are named and typed as it wants them.
class Handler {
 public:
  Handler(std::string_view text, ConfigProblems& problems) : text_(text), problems_(problems) {
    if (text.starts_with(kByteOrderMark)) token_end_ = kByteOrderMark.size();
  }

  std::vector<ConfigObject> read();

  bool null() { return take_value(ConfigType::Null, {}); }
  bool boolean(bool value) { return take_value(ConfigType::Bool, {.number = value ? 1 : 0}); }
  bool number_integer(Json::number_integer_t value) {
    return take_value(ConfigType::Integer, {.number = value});
  }
  bool number_unsigned(Json::number_unsigned_t value);
  bool number_float(Json::number_float_t value, const std::string& digits);
  bool string(std::string& value) { return take_value(ConfigType::String, {.text = value}); }
  bool binary(Json::binary_t& /*value*/) { return true; }  // of other formats than JSON
  bool start_object(size_t /*size*/) { return open(ConfigType::Object); }
  bool end_object() { return close(); }
  bool start_array(size_t /*size*/) { return open(ConfigType::Array); }
  bool end_array() { return close(); }
  bool key(std::string& name);
  bool parse_error(size_t position, const std::string& token, const Json::exception& exception);

 private:
  enum class Within : uint8_t { Text, Array, Object };

  size_t take_token();
  bool take_value(ConfigType type, ConfigValue value);
  void assign(ConfigType type, ConfigValue value);
  bool open(ConfigType type);
  bool close();
  bool refuse_text(size_t offset, ConfigType type);
  void note_repetition(size_t offset, ConfigKey key);
  [[nodiscard]] size_t place_of_error(size_t position, std::string_view cause) const;
  [[nodiscard]] std::string_view advice_on(size_t offset) const;

  std::string_view text_;
  ConfigProblems& problems_;
  size_t octets_read_ = 0;  // by the parser
  size_t token_end_ = 0;    // of the last one; of a number perhaps one octet later
  Within within_ = Within::Text;
  size_t skipped_depth_ = 0;      // of containers whose content means nothing
  std::optional<ConfigKey> key_;  // whose value comes next; none when it is unknown
  std::array<std::optional<size_t>, kConfigKeys.size()> key_offsets_;
  std::vector<ConfigObject> objects_;
};

std::vector<ConfigObject> Handler::read() {
  const CountingIterator begin(text_, 0, octets_read_);
  const CountingIterator end(text_, text_.size(), octets_read_);
  const bool is_complete = Json::sax_parse(begin, end, this, Json::input_format_t::json,
                                           /*strict=*/false);
  if (within_ == Within::Object) objects_.pop_back();  // what it lacks may have been meant to come
  const size_t rest = text_.find_first_not_of(kBlanks, octets_read_);
  if (is_complete && rest != std::string_view::npos)
    problems_.warning(rest, "what follows the array is ignored");
  return std::move(objects_);
}

// The offset of the token that the parser has just read. A number ends where the octet behind it is
// read, which is never one that a value or key begins with.
size_t Handler::take_token() {
  const size_t begin = text_.find_first_not_of(kBetweenTokens, token_end_);
  token_end_ = octets_read_;
  return std::min(begin, text_.size());
}

bool Handler::number_unsigned(Json::number_unsigned_t value) {
  constexpr auto kMax = static_cast<Json::number_unsigned_t>(std::numeric_limits<int64_t>::max());
  // What is larger is out of every key's range, and so is the largest of all.
  return take_value(ConfigType::Integer, {.number = static_cast<int64_t>(std::min(value, kMax))});
}

// Also of integers that do not fit 64 bits.
bool Handler::number_float(Json::number_float_t value, const std::string& digits) {
  const bool is_integer = digits.find_first_of(".eE") == std::string::npos;
  if (!is_integer) return take_value(ConfigType::OtherNumber, {.text = digits});
  using Limits = std::numeric_limits<int64_t>;
  return take_value(ConfigType::Integer, {.number = value < 0 ? Limits::min() : Limits::max()});
}

bool Handler::key(std::string& name) {
  const size_t offset = take_token();
  if (skipped_depth_ > 0) return true;
  key_ = find_key(name);
  if (key_) {
    note_repetition(offset, *key_);
  } else {
    problems_.warning(
        offset, fmt::format("unknown key {} is ignored{}", quote_some(name), similar_key(name)));
  }
  return true;
}

void Handler::note_repetition(size_t offset, ConfigKey key) {
  auto& first = key_offsets_[static_cast<size_t>(key)];
  if (first) {
    problems_.warning(offset,
                      fmt::format("{} stands in line {} already; the last one counts",
                                  description_of(key).name, problems_.place_of(*first).line));
  }
  first = offset;
}

bool Handler::take_value(ConfigType type, ConfigValue value) {
  value.offset = take_token();
  if (skipped_depth_ > 0) return true;
  switch (within_) {
    case Within::Text: return refuse_text(value.offset, type);
    case Within::Array:
      problems_.error(value.offset,
                      fmt::format("each element of the array must be an object, which describes a "
                                  "socket; this is {}",
                                  name_of(type)));
      return true;
    case Within::Object: assign(type, std::move(value)); return true;
  }
  return true;
}

void Handler::assign(ConfigType type, ConfigValue value) {
  if (!key_ || type == ConfigType::Null) return;
  const ConfigKeyDescription& description = description_of(*key_);
  const bool is_good = type == description.type;
  value.state = is_good ? ConfigValue::State::Good : ConfigValue::State::Wrong;
  if (!is_good) {
    problems_.error(value.offset, fmt::format("{} must be {}; this is {}", description.name,
                                              name_of(description.type), name_of(type)));
  }
  objects_.back().values[static_cast<size_t>(*key_)] = std::move(value);
}

bool Handler::open(ConfigType type) {
  if (skipped_depth_ > 0) {
    ++skipped_depth_;
    take_token();
    return true;
  }
  if (within_ == Within::Text && type == ConfigType::Array) {
    take_token();
    within_ = Within::Array;
    return true;
  }
  if (within_ == Within::Array && type == ConfigType::Object) {
    within_ = Within::Object;
    key_offsets_ = {};
    ConfigObject& object = objects_.emplace_back();
    object.offset = take_token();
    for (ConfigValue& value : object.values)
      value.offset = object.offset;
    return true;
  }
  const bool goes_on = take_value(type, {});
  ++skipped_depth_;
  return goes_on;
}

bool Handler::close() {
  token_end_ = octets_read_;
  if (skipped_depth_ > 0) {
    --skipped_depth_;
  } else if (within_ == Within::Object) {
    within_ = Within::Array;
  } else {
    within_ = Within::Text;
  }
  return true;
}

bool Handler::refuse_text(size_t offset, ConfigType type) {
  problems_.error(offset,
                  fmt::format("the configuration must be an array of objects, [{{...}}], one for "
                              "each socket; this is {}",
                              name_of(type)));
  return false;
}

bool Handler::parse_error(size_t position, const std::string& /*token*/,
                          const Json::exception& exception) {
  const std::string cause = cause_of(exception.what());
  const size_t offset = place_of_error(position, cause);
  if (text_.find_first_not_of(kBlanks) == std::string_view::npos) {
    problems_.error(offset, "the configuration is empty; for no socket at all write []");
  } else {
    problems_.error(offset, fmt::format("this is no JSON: {}{}", cause, advice_on(offset)));
  }
  return false;
}

// Of a token in the wrong place where it begins, otherwise the octet that could not be read. The
// parser has read as far as `position`, and one further at the end.
size_t Handler::place_of_error(size_t position, std::string_view cause) const {
  if (position == 0 || position > text_.size()) return text_.size();
  size_t at = position - 1;
  if (!cause.starts_with("unexpected ") && cause.find("out of range") == std::string_view::npos)
    return at;
  if (text_[at] == '"') {
    // An opening quote is the only one in a string that no backslash precedes.
    at = text_.rfind('"', at - 1);
    while (at > 0 && text_[at - 1] == '\\')
      at = text_.rfind('"', at - 1);
    return at;
  }
  for (const std::string_view octets : {kOctetsOfNames, kOctetsOfNumbers}) {
    // At the begin of the text this is npos + 1, which is the begin, too.
    if (octets.find(text_[at]) != std::string_view::npos)
      return text_.find_last_not_of(octets, at) + 1;
  }
  return at;
}

std::string_view Handler::advice_on(size_t offset) const {
  if (offset >= text_.size()) return "";
  const size_t before =
      offset == 0 ? std::string_view::npos : text_.find_last_not_of(kBlanks, offset - 1);
  const bool is_behind_comma = before != std::string_view::npos && text_[before] == ',';
  switch (text_[offset]) {
    case '/':
    case '#': return " (JSON has no comments)";
    case '\0': return " (for there is an octet of zero)";
    case '\'': return " (strings stand between double quotes)";
    case ']':
    case '}': return is_behind_comma ? " (remove the comma before it)" : "";
    default: return "";
  }
}

}  // namespace

std::vector<ConfigObject> read_config_objects(std::string_view text, ConfigProblems& problems) {
  return Handler(text, problems).read();
}

}  // namespace clerk

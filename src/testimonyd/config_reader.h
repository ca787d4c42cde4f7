// The JSON of a configuration becomes objects of known keys with values of the right type, each
// with its place. The rules are those of Go's encoding/json, with which the original daemon read
// it.
//
// nlohmann-json's parser takes the text apart, octet by octet, and calls back for each token; where
// that token begins follows from how far it has read.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "testimonyd/config_keys.h"
#include "testimonyd/config_problems.h"

namespace clerk {

struct ConfigValue {
  // Absent is also what null leaves; of a Wrong value the problem has been told.
  enum class State : uint8_t { Absent, Wrong, Good };

  State state = State::Absent;
  size_t offset = 0;   // of the value; of its object when it is absent
  std::string text;    // of String
  int64_t number = 0;  // of Integer; of Bool 0 or 1
};

struct ConfigObject {
  size_t offset = 0;
  std::array<ConfigValue, kConfigKeys.size()> values;

  [[nodiscard]] const ConfigValue& operator[](ConfigKey key) const {
    return values[static_cast<size_t>(key)];
  }
};

// The objects that the text has, up to the first octet that is no JSON.
[[nodiscard]] std::vector<ConfigObject> read_config_objects(std::string_view text,
                                                            ConfigProblems& problems);

}  // namespace clerk

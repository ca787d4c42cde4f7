#include "base/keyed_hash.h"

#include <sys/random.h>

#include "base/check.h"

namespace clerk {

KeyedHash::KeyedHash() {
  // Up to 256 octets getrandom neither blocks for long nor returns less (getrandom(2)).
  const auto drawn = ::getrandom(secret_.data(), sizeof secret_, 0);
  CHECK(drawn == static_cast<ssize_t>(sizeof secret_));
}

}  // namespace clerk

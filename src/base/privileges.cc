#include "base/privileges.h"

#include <cap-ng.h>
#include <fmt/ranges.h>
#include <grp.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <type_traits>
#include <vector>

namespace clerk {
namespace {

constexpr uid_t kNobody = 65534;      // where no account has the name: the kernel's overflow uid
constexpr uid_t kNoUser = ~uid_t{0};  // setresuid takes it for "leave as it is"

using Capabilities = std::vector<unsigned>;

Account value_of(const passwd& entry) { return {entry.pw_name, entry.pw_uid, entry.pw_gid}; }
gid_t value_of(const group& entry) { return entry.gr_gid; }

// `look_up` is getpwnam_r or one of its kind, which want a buffer of unknown size.
template <typename Entry, typename LookUp>
auto look_up_entry(LookUp look_up) -> Result<std::optional<decltype(value_of(Entry{}))>> {
  std::vector<char> buffer(1024);
  Entry entry{};
  Entry* found = nullptr;
  int error = look_up(&entry, buffer.data(), buffer.size(), &found);
  while (error == ERANGE) {
    buffer.resize(buffer.size() * 2);
    error = look_up(&entry, buffer.data(), buffer.size(), &found);
  }
  if (found != nullptr) return value_of(*found);
  // "Not there" has many numbers, see getpwnam(3); these mean that nobody could look.
  if (error == EIO || error == EMFILE || error == ENFILE || error == ENOMEM)
    return fail("the accounts cannot be read: {}", errno_text(error));
  return std::optional<decltype(value_of(Entry{}))>();
}

Result<std::optional<Account>> account_named(const std::string& name) {
  return look_up_entry<passwd>([&](passwd* entry, char* buffer, size_t size, passwd** found) {
    return ::getpwnam_r(name.c_str(), entry, buffer, size, found);
  });
}

Result<std::optional<Account>> account_of(uid_t user) {
  return look_up_entry<passwd>([&](passwd* entry, char* buffer, size_t size, passwd** found) {
    return ::getpwuid_r(user, entry, buffer, size, found);
  });
}

Result<std::optional<gid_t>> group_named(const std::string& name) {
  return look_up_entry<group>([&](group* entry, char* buffer, size_t size, group** found) {
    return ::getgrnam_r(name.c_str(), entry, buffer, size, found);
  });
}

// Of a user or a group.
static_assert(std::is_same_v<uid_t, gid_t>);
std::optional<uid_t> parse_number(const std::string& text) {
  uid_t user = kNoUser;
  const char* const end = text.data() + text.size();
  const auto [at, error] = std::from_chars(text.data(), end, user);
  if (error != std::errc{} || at != end || user == kNoUser) return std::nullopt;
  return user;
}

// Names first: an account may be called 1000.
Result<Account> find_any_account(const std::string& name) {
  if (auto named = TRY(account_named(name))) return *std::move(named);
  const auto user = parse_number(name);
  if (!user)
    return fail("no such account; name one that `getent passwd` lists, or a numeric user id");
  if (auto numbered = TRY(account_of(*user))) return *std::move(numbered);
  return Account{name, *user, *user};
}

bool is_held(capng_type_t set, unsigned capability) {
  return capng_have_capability(set, capability) == 1;
}

// The kernel may know fewer than this program, or more, which nobody could ask to keep.
bool is_known(unsigned capability) { return ::prctl(PR_CAPBSET_READ, capability, 0, 0, 0) >= 0; }

// In ascending order. Of what read_capabilities read last.
Capabilities held_in(capng_type_t set) {
  Capabilities held;
  for (unsigned each = 0; is_known(each); ++each)
    if (is_held(set, each)) held.push_back(each);
  return held;
}

Capabilities missing_in(capng_type_t set) {
  Capabilities missing;
  for (unsigned each = 0; is_known(each); ++each)
    if (!is_held(set, each)) missing.push_back(each);
  return missing;
}

std::string join_names(const Capabilities& capabilities) {
  std::vector<std::string> names;
  for (const unsigned each : capabilities) {
    const char* name = capng_capability_to_name(each);
    names.push_back(name == nullptr ? fmt::to_string(each) : name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

Result<void> read_capabilities() {
  if (capng_get_caps_process() < 0) return fail("the capabilities of the process cannot be read");
  return {};
}

// Those asked for that the process has, in ascending order.
Result<Capabilities> choose_capabilities(std::span<const int> kept) {
  TRY(read_capabilities());
  Capabilities chosen = held_in(CAPNG_PERMITTED);
  std::erase_if(chosen, [&](unsigned each) {
    return std::ranges::find(kept, static_cast<int>(each)) == kept.end();
  });
  return chosen;
}

// Before the account changes: with root, CAP_SETPCAP goes too.
Result<void> clear_bounding_set() {
  if (!has_capability(CAP_SETPCAP)) return {};
  capng_clear(CAPNG_SELECT_BOUNDS);
  if (capng_apply(CAPNG_SELECT_BOUNDS) != 0) return fail("the bounding set cannot be cleared");
  return {};
}

bool is_account(const Account& account) {
  std::array<uid_t, 3> users{};
  std::array<gid_t, 3> groups{};
  ::getresuid(&users[0], &users[1], &users[2]);
  ::getresgid(&groups[0], &groups[1], &groups[2]);
  return users == std::array{account.user, account.user, account.user} &&
         groups == std::array{account.group, account.group, account.group};
}

// The groups first: whoever is no longer root cannot change them.
Result<void> become_account(const Account& account) {
  if (is_account(account)) return {};
  const bool done = ::prctl(PR_SET_KEEPCAPS, 1) == 0 &&
                    ::initgroups(account.name.c_str(), account.group) == 0 &&
                    ::setresgid(account.group, account.group, account.group) == 0 &&
                    ::setresuid(account.user, account.user, account.user) == 0;
  if (done) return {};
  return fail(
      "--user {}: the process may not change its account ({}); start it as root, with CAP_SETUID "
      "and CAP_SETGID, or leave --user out",
      account.name, errno_text(errno));
}

// Sets all of the thread's sets but the bounding one. The kernel empties the ambient set with the
// inheritable one (capabilities(7)).
Result<void> keep_only(const Capabilities& chosen) {
  capng_clear(CAPNG_SELECT_CAPS);
  for (const unsigned each : chosen)
    capng_update(CAPNG_ADD, static_cast<capng_type_t>(CAPNG_EFFECTIVE | CAPNG_PERMITTED), each);
  if (capng_apply(CAPNG_SELECT_CAPS) != 0) return fail("capabilities cannot be given up");
  return {};
}

Result<void> verify(const std::optional<Account>& become, const Capabilities& chosen) {
  if (become && !is_account(*become))
    return fail("--user {}: the process did not become that account", become->name);
  TRY(read_capabilities());
  if (held_in(CAPNG_EFFECTIVE) != chosen || held_in(CAPNG_PERMITTED) != chosen ||
      !held_in(CAPNG_INHERITABLE).empty() || !held_in(CAPNG_AMBIENT).empty())
    return fail("capabilities were to be given up, and the process still has: {}",
                describe_privileges());
  if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
    return fail("the kernel did not set no_new_privs");
  return {};
}

std::string describe_capabilities() {
  if (!read_capabilities()) return "unknown";
  const Capabilities held = held_in(CAPNG_EFFECTIVE);
  const Capabilities missing = missing_in(CAPNG_EFFECTIVE);
  if (held.empty()) return "none";
  if (missing.empty()) return "all";
  return missing.size() < held.size() ? "all but " + join_names(missing) : join_names(held);
}

std::string describe_user(uid_t user) {
  const auto account = account_of(user);
  if (account && *account) return fmt::format("{} ({})", (*account)->name, user);
  return fmt::to_string(user);
}

}  // namespace

Result<Account> find_account(const std::string& name) {
  auto account = find_any_account(name);
  if (!account) return fail("--user {}: {}", name, account.error().message);
  return account;
}

Result<gid_t> find_group(const std::string& name) {
  if (const auto named = TRY(group_named(name))) return *named;
  if (const auto number = parse_number(name)) return *number;
  return fail("no such group; name one that `getent group` lists, or a numeric group id");
}

Account unprivileged_account() {
  for (const char* name : {"clerk", "nobody"}) {
    auto account = account_named(name);
    if (account && *account) return **std::move(account);
  }
  return {"nobody", kNobody, kNobody};
}

bool has_capability(int capability) {
  return read_capabilities() && is_held(CAPNG_EFFECTIVE, static_cast<unsigned>(capability));
}

Result<void> give_up_privileges(const std::optional<Account>& become,
                                std::span<const int> kept_capabilities) {
  const Capabilities chosen = TRY(choose_capabilities(kept_capabilities));
  TRY(clear_bounding_set());
  if (become) TRY(become_account(*become));
  TRY(keep_only(chosen));
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
    return fail("no_new_privs: {}", errno_text(errno));
  return verify(become, chosen);
}

std::string describe_privileges() {
  return fmt::format("user {}, capabilities: {}", describe_user(::geteuid()),
                     describe_capabilities());
}

}  // namespace clerk

#include "testimony/dial.h"

#include <grp.h>
#include <pwd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <optional>

#include "testimony/failure.h"

namespace testimony {
namespace {

std::optional<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const bool fits = !path.empty() && path.size() < sizeof address.sun_path;
  if (!fits || path.find('\0') != std::string::npos) return {};
  path.copy(address.sun_path, path.size());
  return address;
}

// getpwuid() and getgrgid() are not for several threads at once; their successors are.
std::string user_name(uid_t user) {
  std::array<char, 4096> text{};
  passwd account{};
  passwd* found = nullptr;
  ::getpwuid_r(user, &account, text.data(), text.size(), &found);
  return found == nullptr ? std::to_string(user) : account.pw_name;
}

std::string group_name(gid_t group) {
  std::array<char, 4096> text{};
  ::group entry{};
  ::group* found = nullptr;
  ::getgrgid_r(group, &entry, text.data(), text.size(), &found);
  return found == nullptr ? std::to_string(group) : entry.gr_name;
}

std::string mode_text(mode_t mode) {
  constexpr mode_t kPermissions = 07777;
  std::array<char, 8> text{};
  std::snprintf(text.data(), text.size(), "%04o", mode & kPermissions);
  return text.data();
}

std::unexpected<Error> not_permitted(const std::string& path) {
  const uid_t user = ::geteuid();
  const std::string who =
      "user " + user_name(user) + " (" + std::to_string(user) + ") may not connect: ";
  struct stat status{};
  if (::stat(path.c_str(), &status) != 0)
    return fail(Failure::NotPermitted,
                who + "a directory on the way to the socket is closed to it");
  return fail(Failure::NotPermitted, who + "the socket belongs to " + user_name(status.st_uid) +
                                         ":" + group_name(status.st_gid) + " and has mode " +
                                         mode_text(status.st_mode));
}

// The kernel refuses what is no socket in the same way as a socket to which nobody listens.
std::unexpected<Error> refused(const std::string& path) {
  struct stat status{};
  if (::stat(path.c_str(), &status) == 0 && !S_ISSOCK(status.st_mode))
    return fail(Failure::NoSocket, "it is no socket");
  return fail(Failure::NotThere, "nobody listens to the socket: the daemon does not run");
}

std::unexpected<Error> cannot_connect(const std::string& path, int error_number) {
  switch (error_number) {
    case ENOENT:
      return fail(Failure::NotThere, "there is no such socket: the daemon has not made it");
    case ECONNREFUSED: return refused(path);
    case EACCES:
    case EPERM: return not_permitted(path);
    case ENOTDIR:
    case ELOOP:
    case ENAMETOOLONG: return fail(Failure::NoSocket, "the path leads to no socket");
    case EPROTOTYPE: return fail(Failure::NoSocket, "it is a socket of another type");
    case EAGAIN: return fail(Failure::Silent, "the daemon does not take connections");
    default: return fail_by_errno("connecting", error_number);
  }
}

}  // namespace

Result<clerk::UniqueFd> dial(const std::string& path) {
  const auto address = address_of(path);
  if (!address)
    return fail(Failure::NoSocket, "the path is empty, or longer than the " +
                                       std::to_string(sizeof(sockaddr_un::sun_path) - 1) +
                                       " octets that a socket's may have");
  clerk::UniqueFd socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!socket) return fail_by_errno("a socket", errno);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&*address), sizeof *address) != 0)
    return cannot_connect(path, errno);
  return socket;
}

}  // namespace testimony

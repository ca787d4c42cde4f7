#include "testimonyd/listener.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include "base/privileges.h"

namespace clerk {
namespace {

constexpr uid_t kSameUser = ~uid_t{0};   // chown(2) leaves it
constexpr gid_t kSameGroup = ~gid_t{0};  // chown(2) leaves it
constexpr int kLockTries = 100;
constexpr std::chrono::milliseconds kLockInterval{10};
constexpr mode_t kPermissions = 0777;

Result<sockaddr_un> address_of(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof address.sun_path)
    return fail("{}: a socket's path has 1 to {} octets", path, sizeof address.sun_path - 1);
  std::ranges::copy(path, address.sun_path);
  return address;
}

UniqueFd stream_socket() {
  return UniqueFd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
}

// Held while a path is examined and taken, so that two daemons that start together do not remove
// each other's socket. It goes with the descriptor. Anybody may lock a directory that they can
// read, so it is not waited for forever.
Result<UniqueFd> lock_directory_of(const std::string& path) {
  const auto parent = std::filesystem::path(path).parent_path();
  const std::string directory = parent.empty() ? "." : parent.string();
  UniqueFd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return fail("{}: its directory: {}", path, errno_text(errno));
  for (int tries = 0; tries < kLockTries && ::flock(fd.get(), LOCK_EX | LOCK_NB) != 0; ++tries)
    std::this_thread::sleep_for(kLockInterval);
  return fd;
}

bool somebody_answers(const sockaddr_un& address) {
  const UniqueFd socket = stream_socket();
  if (!socket) return true;  // nobody knows
  const int connected =
      ::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  return connected == 0 || (errno != ECONNREFUSED && errno != ENOENT);
}

Result<void> remove_dead_socket(const std::string& path, const sockaddr_un& address) {
  struct stat status{};
  if (::lstat(path.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};
    return fail("{}: {}", path, errno_text(errno));
  }
  if (!S_ISSOCK(status.st_mode))
    return fail("{}: is there already and no socket; remove it, or choose another path", path);
  if (somebody_answers(address))
    return fail("{}: another program answers there; end it first, or choose another path", path);
  if (::unlink(path.c_str()) == 0) return {};
  return fail("{}: cannot remove the socket that an earlier run left: {}", path, errno_text(errno));
}

Result<void> give_to_owner(const ListenerOptions& options) {
  uid_t user = kSameUser;
  gid_t group = kSameGroup;
  if (!options.user.empty()) user = TRY(find_account(options.user)).user;
  if (!options.group.empty()) {
    const auto found = find_group(options.group);
    if (!found) return fail("group {}: {}", options.group, found.error().message);
    group = *found;
  }
  if (::lchown(options.path.c_str(), user, group) != 0)
    return fail("{}: cannot be given to its owner: {}", options.path, errno_text(errno));
  return {};
}

}  // namespace

Result<Listener> Listener::open(const ListenerOptions& options) {
  UniqueFd socket = stream_socket();
  if (!socket) return fail("{}: {}", options.path, errno_text(errno));
  Listener listener(options.path, std::move(socket));
  TRY(listener.listen(options));
  return listener;
}

Result<void> Listener::listen(const ListenerOptions& options) {
  const sockaddr_un address = TRY(address_of(path_));
  const UniqueFd lock = TRY(lock_directory_of(path_));
  TRY(remove_dead_socket(path_, address));
  const mode_t before = ::umask(~options.mode & kPermissions);
  const int bound =
      ::bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
  const int error = errno;
  ::umask(before);
  if (bound != 0) return fail("{}: {}", path_, errno_text(error));
  struct stat status{};
  if (::lstat(path_.c_str(), &status) != 0) return fail("{}: {}", path_, errno_text(errno));
  device_ = status.st_dev;
  inode_ = status.st_ino;
  TRY(give_to_owner(options));
  // Only now may anybody connect: those who are meant to.
  if (::listen(socket_.get(), options.backlog) != 0)
    return fail("{}: {}", path_, errno_text(errno));
  return {};
}

Listener::Listener(Listener&& other) noexcept
    : path_(std::move(other.path_)),
      socket_(std::move(other.socket_)),
      device_(other.device_),
      inode_(std::exchange(other.inode_, 0)) {}

Listener::~Listener() {
  struct stat status{};
  if (inode_ == 0 || ::lstat(path_.c_str(), &status) != 0) return;
  if (status.st_dev == device_ && status.st_ino == inode_) ::unlink(path_.c_str());
}

Result<std::optional<UniqueFd>> Listener::accept() const {
  UniqueFd client(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (client) return client;
  // Whoever was there has gone again, or there was nobody.
  if (errno == EAGAIN || errno == EINTR || errno == ECONNABORTED) return std::nullopt;
  return fail("{}: {}", path_, errno_text(errno));
}

}  // namespace clerk

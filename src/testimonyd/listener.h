// A Unix stream socket at a path, to which clients connect. The path is taken and given back with
// care: nothing is removed but a socket that nobody answers on, at the start, and one's own at the
// end.
//
// One thread.
#pragma once

#include <sys/socket.h>
#include <sys/types.h>

#include <optional>
#include <string>

#include "base/error.h"
#include "base/unique_fd.h"

namespace clerk {

struct ListenerOptions {
  std::string path;
  std::string user;   // to own it; empty: whoever this is
  std::string group;  // to own it; empty: whoever this is
  mode_t mode = 0600;
  int backlog = SOMAXCONN;  // how many may wait for accept()
};

class Listener {
 public:
  // Fails when another program answers at the path, or something that is no socket is there.
  // Non-blocking. Errors name the path and what to do.
  static Result<Listener> open(const ListenerOptions& options);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener();  // removes the socket, unless it is somebody else's by now

  [[nodiscard]] int fd() const { return socket_.get(); }

  // The next client; nothing when there is none. An error is one of this process, which may pass:
  // it has no descriptor left, for example.
  [[nodiscard]] Result<std::optional<UniqueFd>> accept() const;

 private:
  Listener(std::string path, UniqueFd socket)
      : path_(std::move(path)), socket_(std::move(socket)) {}

  Result<void> listen(const ListenerOptions& options);

  std::string path_;
  UniqueFd socket_;
  dev_t device_ = 0;  // of what was made at the path
  ino_t inode_ = 0;
};

}  // namespace clerk

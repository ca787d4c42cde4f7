// A testimony socket as the source of live packets: rings that testimonyd made and other programs
// read too (testimony/client.h).
//
//   TestimonySocket ──┬── member 0 (PacketSource) ── Client of index 0, and of M, 2M ...
//                     ├── ...
//                     └── member M - 1 ── Client of index M - 1 ...
//
// There is a member for each index that the daemon tells at the start, or as many as the caller
// says while it is not there; a daemon that comes back with another number of indexes is read
// whole all the same. A connection that ends is closed with its ring before a new one is asked for,
// at first at once and then each few seconds; what is counted until then stays. What happens to the
// socket is logged, a line an event. The members are used by one thread each; what they share is in
// TestimonyService.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "capture/source.h"
#include "capture/testimony_service.h"

namespace clerk {

class TestimonySocket {
 public:
  // A daemon that is not there, or not ready, is waited for; `members` are made then. What does not
  // come good by waiting is an error, which names the socket and the way out.
  static Result<std::unique_ptr<TestimonySocket>> open(const std::string& path, uint32_t members);

  TestimonySocket(const TestimonySocket&) = delete;
  TestimonySocket& operator=(const TestimonySocket&) = delete;
  ~TestimonySocket();

  // One for each thread. They live as long as the socket.
  [[nodiscard]] std::vector<PacketSource*> sources() const;

  static constexpr uint32_t kMembersMax = 64;

 private:
  class Member;

  explicit TestimonySocket(const std::string& path);

  TestimonyService service_;
  std::vector<std::unique_ptr<Member>> members_;
};

// The geometry of the socket, for whoever wants to know it before a run. Errors name the socket and
// the way out; one that a run would wait for says so.
Result<testimony::Geometry> ask_testimony_geometry(const std::string& path);

}  // namespace clerk

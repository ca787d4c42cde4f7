#include "testimonyd/stats_socket.h"

namespace clerk {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// Counters are no secret, and whoever collects them is seldom root.
constexpr mode_t kForEverybody = 0666;

// So many answers in such a time; more often nobody needs the counters.
constexpr int kAnswersMax = 16;
constexpr milliseconds kAnswersInterval{100};

// Each waits for those before, who may have gone again.
constexpr int kBacklog = 128;

// After an error of this process, which may pass: it has no descriptor left, for example.
constexpr seconds kRetryInterval{1};

// For one who does not take the answer, and how many may do so at a time.
constexpr seconds kInquiryPatience{5};
constexpr size_t kInquiriesMax = 16;

}  // namespace

Result<std::unique_ptr<StatsSocket>> StatsSocket::open(const std::string& path, EventLoop& loop,
                                                       std::function<std::string()> text) {
  Listener listener =
      TRY(Listener::open({.path = path, .mode = kForEverybody, .backlog = kBacklog}));
  std::unique_ptr<StatsSocket> opened(new StatsSocket(std::move(listener), loop, std::move(text)));
  auto* const self = opened.get();
  opened->watch_ =
      TRY(loop.watch(self->listener_.fd(), EPOLLIN, [self](uint32_t) { self->accept_one(); }));
  return opened;
}

void StatsSocket::work(Clock::time_point now) {
  std::erase_if(inquiries_, [now](const auto& entry) { return now >= entry.second->deadline; });
  if (now < resume_at_) return;
  resume_at_ = Clock::time_point::max();
  watch_.change(EPOLLIN);
}

void StatsSocket::accept_one() {
  const auto now = Clock::now();
  auto accepted = listener_.accept();
  if (!accepted) return pause_until(now + kRetryInterval);
  if (!*accepted) return;
  if (now - counting_since_ >= kAnswersInterval) {
    counting_since_ = now;
    answers_ = 0;
  }
  if (++answers_ == kAnswersMax) pause_until(counting_since_ + kAnswersInterval);
  if (inquiries_.size() < kInquiriesMax) answer(*std::move(*accepted));
}

void StatsSocket::pause_until(Clock::time_point resume_at) {
  resume_at_ = resume_at;
  watch_.change(0);
}

// Most answers fit what the kernel keeps of a socket, and are given at once.
void StatsSocket::answer(UniqueFd socket) {
  auto inquiry = std::make_unique<Inquiry>(std::move(socket), Clock::now() + kInquiryPatience);
  Connection& connection = inquiry->connection;
  const std::string text = text_();
  const bool is_open =
      connection.send({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  if (!is_open || !connection.has_unsent()) return;
  auto watch = loop_.watch(connection.fd(), EPOLLOUT, [this, &connection](uint32_t) {
    if (!connection.flush() || !connection.has_unsent()) inquiries_.erase(connection.fd());
  });
  if (!watch) return;
  inquiry->watch = *std::move(watch);
  inquiries_.emplace(connection.fd(), std::move(inquiry));
}

}  // namespace clerk

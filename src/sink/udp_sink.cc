#include "sink/udp_sink.h"

#include <spdlog/spdlog.h>

#include <cerrno>
#include <chrono>
#include <memory>
#include <thread>
#include <utility>

namespace clerk {
namespace {

constexpr int kAttempts = 5;
constexpr auto kPauseForBuffers = std::chrono::milliseconds(2);

// Errors that say that nothing can be sent from here to there, rather than that it failed.
bool is_of_route(int error_number) {
  return error_number == ENETUNREACH || error_number == EHOSTUNREACH ||
         error_number == EADDRNOTAVAIL || error_number == EINVAL || error_number == ENETDOWN ||
         error_number == EDESTADDRREQ;
}

}  // namespace

UdpSink::UdpSink(std::string name, UdpSocket socket, const UdpOptions& options)
    : name_(std::move(name)),
      socket_(std::move(socket)),
      pacer_(options.pace),
      session_(options.session, [this](const ipfix::MessageRun& run) { send(run); }) {}

Result<std::unique_ptr<Sink>> UdpSink::create(std::string name, const std::string& host,
                                              const std::string& port, const UdpOptions& options) {
  auto socket = UdpSocket::connect_to(host, port, options.batching);
  if (!socket) return fail("--collector {}: {}", name, socket.error().message);
  UdpOptions udp = options;
  udp.session.repeat_templates = true;
  return std::unique_ptr<Sink>(new UdpSink(std::move(name), *std::move(socket), udp));
}

// The kernel's idea of the path may have changed since the last records.
void UdpSink::add(std::span<const FlowRecord> records, uint32_t second) {
  if (const auto octets = socket_.path_message_octets())
    session_.lower_message_octets(*octets, second);
  session_.add(records, second);
}

void UdpSink::send(const ipfix::MessageRun& run) {
  const size_t at_once = pacer_.burst_messages(run.message_records);
  for (size_t sent = 0; sent < run.messages();) {
    const ipfix::MessageRun burst = run.behind(sent).first(at_once);
    pacer_.wait(burst.records);
    send_burst(burst);
    sent += burst.messages();
  }
}

// Attempts are those of the first message that is left.
void UdpSink::send_burst(const ipfix::MessageRun& burst) {
  ipfix::MessageRun left = burst;
  for (int attempts = 0; left.messages() > 0;) {
    const auto [messages, error_number] = socket_.send(left);
    if (messages > 0) {
      note_sent(left.first(messages));
      left = left.behind(messages);
      attempts = 0;
    }
    if (error_number == 0) continue;
    recover_from(error_number);
    if (++attempts < kAttempts) continue;
    note_lost(left.first(1));
    left = left.behind(1);
    attempts = 0;
  }
}

void UdpSink::note_sent(const ipfix::MessageRun& sent) {
  counts_.records_sent += sent.records;
  counts_.messages_sent += sent.messages();
  if (!std::exchange(loses_records_, false)) return;
  spdlog::info("--collector {} ({}): messages leave again; {} records are lost", name_,
               socket_.address(), counts_.records_lost);
}

void UdpSink::note_lost(const ipfix::MessageRun& lost) {
  counts_.records_lost += lost.records;
  loses_records_ = true;
}

void UdpSink::recover_from(int error_number) {
  note_error(error_number);
  if (error_number == ECONNREFUSED) session_.repeat_templates();  // nobody listened a moment ago
  if (error_number == ENOBUFS || error_number == EAGAIN)
    std::this_thread::sleep_for(kPauseForBuffers);
  if (is_of_route(error_number) && socket_.reconnect()) session_.repeat_templates();
}

void UdpSink::note_error(int error_number) {
  ++counts_.send_errors;
  const auto held_back = log_limiters_[error_number].allow(std::chrono::steady_clock::now());
  if (!held_back) return;
  spdlog::warn(
      "--collector {} ({}): {}{}", name_, socket_.address(), errno_text(error_number),
      *held_back > 0 ? fmt::format(" ({} more since the last such line)", *held_back) : "");
}

}  // namespace clerk

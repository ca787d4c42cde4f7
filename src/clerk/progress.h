// How far a long input is read, on a terminal: one line on stderr that rewrites itself.
#pragma once

#include <condition_variable>
#include <mutex>
#include <thread>

#include "capture/file_source.h"

namespace clerk {

// Shows nothing in the first second, so that short inputs stay quiet; the destructor wipes the
// line.
class Progress {
 public:
  // The source outlives the progress.
  explicit Progress(const FileSource& source);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

 private:
  void show(const std::stop_token& stop);

  const FileSource& source_;
  std::mutex mutex_;
  std::condition_variable_any stopped_;
  std::jthread thread_;
};

}  // namespace clerk

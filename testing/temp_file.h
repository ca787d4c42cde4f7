// A file or directory of a test's own, below the system's temporary directory, removed at the end.
#pragma once

#include <cstdint>
#include <span>
#include <string>

namespace clerk {

class TempDirectory {
 public:
  TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;
  ~TempDirectory();

  [[nodiscard]] const std::string& path() const { return path_; }

  // The path of `name` in here; nothing is created.
  [[nodiscard]] std::string path_of(const std::string& name) const { return path_ + "/" + name; }

  // Creates a file and returns its path.
  [[nodiscard]] std::string write(const std::string& name, std::span<const uint8_t> content) const;

 private:
  std::string path_;
};

class TempFile {
 public:
  explicit TempFile(std::span<const uint8_t> content) : path_(directory_.write("file", content)) {}

  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  TempDirectory directory_;
  std::string path_;
};

}  // namespace clerk

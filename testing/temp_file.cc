#include "testing/temp_file.h"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <system_error>

#include "base/check.h"

namespace clerk {

TempDirectory::TempDirectory()
    : path_((std::filesystem::temp_directory_path() / "clerk_test_XXXXXX").string()) {
  CHECK(::mkdtemp(path_.data()) != nullptr);
}

TempDirectory::~TempDirectory() {
  std::error_code ignored;  // a test that fails to clean up has failed for other reasons
  static_cast<void>(std::filesystem::remove_all(path_, ignored));
}

std::string TempDirectory::write(const std::string& name, std::span<const uint8_t> content) const {
  std::string path = path_of(name);
  std::ofstream file(path, std::ios::binary);
  const std::string text(content.begin(), content.end());
  file.write(text.data(), static_cast<std::streamsize>(text.size())).flush();
  CHECK(file.good());
  return path;
}

}  // namespace clerk

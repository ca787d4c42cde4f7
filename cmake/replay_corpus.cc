// A main for a *_fuzz.cc without libFuzzer: gives the empty input and every file of the folders
// and files named on the command line to the fuzzer's entry point, so that each test run, with any
// compiler, replays the corpus. A corpus that is not there is an error, lest a test that looks at
// nothing pass.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <span>
#include <string>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size);

namespace {

void replay(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string content(std::istreambuf_iterator<char>(file), {});
  const std::vector<std::uint8_t> input(content.begin(), content.end());
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

}  // namespace

int main(int argument_count, char** arguments) {
  const std::uint8_t nothing = 0;
  LLVMFuzzerTestOneInput(&nothing, 0);
  std::size_t inputs = 1;
  for (const char* argument :
       std::span(arguments, static_cast<std::size_t>(argument_count)).subspan(1)) {
    std::vector<std::filesystem::path> files;
    if (std::filesystem::is_directory(argument)) {
      for (const auto& entry : std::filesystem::directory_iterator(argument))
        files.push_back(entry.path());
    } else if (std::filesystem::exists(argument)) {
      files.emplace_back(argument);
    }
    if (files.empty()) {
      std::fprintf(stderr, "%s: there is no input; seeds belong there\n", argument);
      return 1;
    }
    for (const auto& file : files)
      replay(file);
    inputs += files.size();
  }
  std::printf("replayed %zu inputs\n", inputs);
  return 0;
}

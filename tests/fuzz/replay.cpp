// SPDX-License-Identifier: Apache-2.0
// A fuzz target on every file of the folders given: those seeds that a fuzzer begins with, and what it once found. A finding ends
// the program, as it would end the fuzzer.
#include <algorithm>
#include <filesystem>

#include "tests/fuzz/target.h"

int main(int argc, char** argv) try {
  std::vector<std::filesystem::path> files;
  for (int i = 1; i < argc; ++i)
    if (std::filesystem::is_directory(argv[i]))
      for (const auto& entry : std::filesystem::recursive_directory_iterator(argv[i]))
        if (entry.is_regular_file()) files.push_back(entry.path());
  octet::check(!files.empty(), "replay: no files in the folders given");
  std::ranges::sort(files);
  size_t runs = 0;
  for (const auto& file : files) {
    std::fprintf(stderr, "%s\n", file.c_str());
    octet::Bytes bytes = octet::read_file(file.string(), uint64_t{1} << 24);
    octet::fuzz::run(bytes);
    // Every bit of the first bytes, and every length: what a fuzzer tries first.
    for (size_t i = 0; i < std::min<size_t>(bytes.size(), 4096); ++i) {
      const octet::Bytes cut(bytes.begin(), bytes.begin() + static_cast<ptrdiff_t>(i));
      octet::fuzz::run(cut);
      const int bit = static_cast<int>(i % 8);
      bytes[i] ^= std::byte{1} << bit;
      octet::fuzz::run(bytes);
      bytes[i] ^= std::byte{1} << bit;
      runs += 2;
    }
  }
  std::printf("%zu seeds, %zu inputs\n", files.size(), files.size() + runs);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}

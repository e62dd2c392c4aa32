// SPDX-License-Identifier: Apache-2.0
// A folder for one test, removed with everything in it at the end; and the little helpers all file tests need.
#pragma once

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

#include "engine/check.h"
#include "io/file.h"

namespace octet::testing {

class TempDir {
 public:
  TempDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "octet-test-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::system_error(errno, std::generic_category(), pattern);
    path_ = pattern;
  }
  TempDir(const TempDir&) = delete;
  TempDir& operator=(const TempDir&) = delete;
  ~TempDir() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::filesystem::path& path() const { return path_; }
  std::string operator/(std::string_view name) const { return (path_ / name).string(); }
  /// How many entries the folder has: a left-over temporary file shows here.
  size_t entries() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), std::filesystem::directory_iterator()));
  }

 private:
  std::filesystem::path path_;
};

inline Bytes bytes_of(std::string_view text) {
  const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
  return {bytes.begin(), bytes.end()};
}

/// The message of the octet::Error that f throws; "" if it throws none. Other exceptions pass through and fail the test.
inline std::string error_of(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

/// Parses every proper prefix and every copy with one bit flipped; returns what was accepted, as "length n" and "byte n bit m".
inline std::vector<std::string> accepted_damage(const Bytes& good, const std::function<void(std::span<const std::byte>)>& parse) {
  std::vector<std::string> accepted;
  for (size_t length = 0; length < good.size(); ++length)
    // A copy of exact size, so that a sanitizer sees a read beyond the end.
    if (const Bytes cut(good.begin(), good.begin() + static_cast<ptrdiff_t>(length)); error_of([&] { parse(cut); }).empty())
      accepted.push_back("length " + std::to_string(length));
  Bytes flipped = good;
  for (size_t i = 0; i < good.size(); ++i)
    for (int bit = 0; bit < 8; ++bit) {
      flipped[i] ^= std::byte{1} << bit;
      if (error_of([&] { parse(flipped); }).empty())
        accepted.push_back("byte " + std::to_string(i) + " bit " + std::to_string(bit));
      flipped[i] = good[i];
    }
  return accepted;
}

}  // namespace octet::testing

// SPDX-License-Identifier: Apache-2.0
// Reading and writing whole files, and what is left on disk when writing fails.
#include "io/file.h"

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "tests/catch.h"
#include "tests/io/temp_dir.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

constexpr uint64_t kCap = 1 << 20;

/// Files may not grow beyond `bytes` while this lives: write() then fails as on a full disk, half-way through.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }

 private:
  rlimit before_{};
  void (*handler_)(int) = nullptr;
};

/// Permissions do not bind root: become nobody while this lives.
class Unprivileged {
 public:
  Unprivileged() {
    if (was_ == 0) REQUIRE(::seteuid(65534) == 0);
  }
  ~Unprivileged() {
    if (was_ == 0 && ::seteuid(0) != 0) std::abort();
  }

 private:
  uid_t was_ = ::geteuid();
};

}  // namespace

TEST_CASE("a written file reads back and no temporary remains", "[io]") {
  const TempDir dir;
  const Bytes content = bytes_of("some content");
  write_file(dir / "a.bin", content);
  CHECK(read_file(dir / "a.bin", kCap) == content);
  write_file(dir / "a.bin", {});
  CHECK(read_file(dir / "a.bin", kCap).empty());
  CHECK(dir.entries() == 1);
}

TEST_CASE("a new file has the permissions the umask leaves", "[io]") {
  const TempDir dir;
  const mode_t before = ::umask(027);
  write_file(dir / "a", bytes_of("x"));
  ::umask(before);
  struct stat info {};
  REQUIRE(::stat((dir / "a").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0640);
}

TEST_CASE("a file that is replaced keeps its permissions", "[io]") {
  const TempDir dir;
  write_file(dir / "a", bytes_of("x"));
  for (const mode_t mode : {0600, 0644, 0750, 0400}) {
    REQUIRE(::chmod((dir / "a").c_str(), mode) == 0);
    write_file(dir / "a", bytes_of("y"));
    struct stat info {};
    REQUIRE(::stat((dir / "a").c_str(), &info) == 0);
    CHECK((info.st_mode & 0777) == mode);
  }
}

TEST_CASE("a file larger than the cap, a missing one, a folder and a FIFO are refused by name", "[io]") {
  const TempDir dir;
  write_file(dir / "a", bytes_of("12345"));
  CHECK(read_file(dir / "a", 5).size() == 5);
  CHECK_THAT(error_of([&] { read_file(dir / "a", 4); }), StartsWith(dir / "a") && Contains("5 bytes") && Contains("at most 4"));
  CHECK_THAT(error_of([&] { read_file(dir / "b", 4); }), StartsWith(dir / "b") && Contains("No such file"));
  CHECK_THAT(error_of([&] { read_file(dir.path().string(), 4); }), Contains("not a regular file"));
  REQUIRE(::mkfifo((dir / "fifo").c_str(), 0600) == 0);
  CHECK_THAT(error_of([&] { read_file(dir / "fifo", 4); }), Contains("not a regular file"));
}

TEST_CASE("writing into a missing folder, over a folder or over a device is refused by name", "[io]") {
  const TempDir dir;
  CHECK_THAT(error_of([&] { write_file(dir / "no/a", bytes_of("x")); }), StartsWith(dir / "no/a") && Contains("No such file"));
  REQUIRE(std::filesystem::create_directory(dir.path() / "folder"));
  CHECK_THAT(error_of([&] { write_file(dir / "folder", bytes_of("x")); }), Contains("not a regular file"));
  CHECK_THAT(error_of([&] { write_file(dir / "folder/", bytes_of("x")); }), Contains("not a file name"));
  CHECK_THAT(error_of([&] { write_file("/dev/null", bytes_of("x")); }), Contains("not a regular file"));
  CHECK(dir.entries() == 1);
  CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("a symbolic link is replaced, the file it points to stays", "[io]") {
  const TempDir dir;
  write_file(dir / "target", bytes_of("old"));
  std::filesystem::create_symlink(dir / "target", dir / "link");
  write_file(dir / "link", bytes_of("new"));
  CHECK(read_file(dir / "target", kCap) == bytes_of("old"));
  CHECK(read_file(dir / "link", kCap) == bytes_of("new"));
}

TEST_CASE("when the disk is full the old file stays whole and no temporary remains", "[io]") {
  const TempDir dir;
  const Bytes old = bytes_of("the old content");
  write_file(dir / "model", old);
  std::string message;
  {
    const FileSizeLimit limit(1000);
    message = error_of([&] { write_file(dir / "model", Bytes(5000)); });
  }
  CHECK_THAT(message, StartsWith(dir / "model") && Contains("cannot be written") && Contains("File too large"));
  CHECK(read_file(dir / "model", kCap) == old);
  CHECK(dir.entries() == 1);
}

TEST_CASE("when the folder may not be written the old file stays whole", "[io]") {
  const TempDir dir;
  const std::filesystem::path locked = dir.path() / "locked";
  std::filesystem::permissions(dir.path(), std::filesystem::perms(0755));
  REQUIRE(std::filesystem::create_directory(locked));
  write_file((locked / "a").string(), bytes_of("old"));
  std::filesystem::permissions(locked, std::filesystem::perms(0555));
  std::string message;
  {
    const Unprivileged user;
    message = error_of([&] { write_file((locked / "a").string(), bytes_of("new")); });
  }
  CHECK_THAT(message, StartsWith((locked / "a").string()) && Contains("Permission denied"));
  CHECK(read_file((locked / "a").string(), kCap) == bytes_of("old"));
  std::filesystem::permissions(locked, std::filesystem::perms(0755));
  CHECK(std::distance(std::filesystem::directory_iterator(locked), {}) == 1);
}

TEST_CASE("crc32 is the one of zlib and PNG", "[io]") {
  CHECK(crc32(bytes_of("123456789")) == 0xcbf43926);  // the check value every CRC catalogue prints
  CHECK(crc32(bytes_of("6789"), crc32(bytes_of("12345"))) == 0xcbf43926);
}

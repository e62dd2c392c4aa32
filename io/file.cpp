// SPDX-License-Identifier: Apache-2.0
// Files through POSIX calls: std::ofstream can neither sync nor say why it failed.
#include "io/file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <string_view>
#include <system_error>
#include <utility>

#include "engine/check.h"

namespace octet {
namespace {

/// check() for system calls: errno is read here, after the call; as an argument of check() it could be read before.
void require(bool done, const std::string& path, std::string_view what = "cannot be written") {
  if (done) [[likely]]
    return;
  const std::string reason = std::generic_category().message(errno);
  fail(path, ": ", what, ": ", reason);
}

/// A descriptor that closes itself.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  /// Late write errors (quotas, network file systems) surface only here.
  bool close() { return ::close(std::exchange(fd_, -1)) == 0; }

 private:
  int fd_;
};

/// Removes the temporary file unless it was renamed away.
class Temporary {
 public:
  Temporary(int folder, std::string name) : folder_(folder), name_(std::move(name)) {}
  Temporary(const Temporary&) = delete;
  Temporary& operator=(const Temporary&) = delete;
  ~Temporary() {
    if (!kept_) ::unlinkat(folder_, name_.c_str(), 0);
  }
  void keep() { kept_ = true; }

 private:
  int folder_;
  std::string name_;
  bool kept_ = false;
};

bool write_all(int fd, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    // Linux transfers at most 2^31 - 4096 bytes a call.
    const ssize_t n = ::write(fd, bytes.data(), std::min(bytes.size(), size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n == 0) errno = ENOSPC;
    if (n <= 0) return false;
    bytes = bytes.subspan(static_cast<size_t>(n));
  }
  return true;
}

/// A name no other process and no other thread of this one is using; O_EXCL settles what is left.
std::string temporary_name(const std::string& base) {
  static std::atomic<uint32_t> count{0};
  return "." + base + ".tmp-" + std::to_string(::getpid()) + "-" + std::to_string(count.fetch_add(1));
}

}  // namespace

Bytes read_file(const std::string& path, uint64_t cap) {
  // O_NONBLOCK: opening a FIFO must not wait for its writer.
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  require(file.get() >= 0, path, "cannot be opened");
  struct stat info {};
  require(::fstat(file.get(), &info) == 0, path, "cannot be examined");
  check(S_ISREG(info.st_mode), path, ": is not a regular file");
  const auto size = static_cast<uint64_t>(info.st_size);
  check(size <= cap, path, ": has ", size, " bytes, at most ", cap, " are read");
  Bytes bytes(size);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n = ::read(file.get(), bytes.data() + done, std::min(bytes.size() - done, size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    require(n >= 0, path, "cannot be read");
    check(n > 0, path, ": ended after ", done, " of ", size, " bytes; it changed while being read");
    done += static_cast<size_t>(n);
  }
  return bytes;
}

void write_file(const std::string& path, std::span<const std::byte> bytes) {
  const size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const std::string base = slash == std::string::npos ? path : path.substr(slash + 1);
  check(!base.empty() && base != "." && base != "..", "'", path, "': is not a file name");
  // Everything is relative to this descriptor: the folder written is the folder synced, even if it is moved meanwhile.
  const Descriptor directory(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  require(directory.get() >= 0, path, "cannot be written: folder " + folder);
  struct stat info {};
  const bool exists = ::fstatat(directory.get(), base.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0;
  if (exists) check(S_ISREG(info.st_mode) || S_ISLNK(info.st_mode), path, ": cannot be written: exists and is not a regular file");

  const std::string name = temporary_name(base);
  Descriptor file(::openat(directory.get(), name.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
  require(file.get() >= 0, path);
  Temporary temporary(directory.get(), name);
  require(write_all(file.get(), bytes), path);
  // A file that is replaced keeps its permissions; a new one has what the umask leaves.
  if (exists && S_ISREG(info.st_mode)) require(::fchmod(file.get(), info.st_mode & 07777) == 0, path);
  require(::fsync(file.get()) == 0, path);
  require(file.close(), path);
  require(::renameat(directory.get(), name.c_str(), directory.get(), base.c_str()) == 0, path);
  temporary.keep();
  // Some file systems cannot sync a folder (EINVAL); the content is complete either way.
  require(::fsync(directory.get()) == 0 || errno == EINVAL || errno == ENOTSUP, path, "written, but its folder cannot be synced");
}

uint32_t crc32(std::span<const std::byte> bytes, uint32_t so_far) {
  return static_cast<uint32_t>(::crc32_z(so_far, reinterpret_cast<const Bytef*>(bytes.data()), bytes.size()));
}

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// fork, a pipe for the answer, and what became of the child.
#include "bench/child.h"

#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <exception>

#include "engine/check.h"

namespace octet::bench {
namespace {

/// A byte for success or failure, then text.
[[noreturn]] void answer(int pipe_end, const std::function<std::string()>& work) {
  std::string text;
  try {
    text = work();
    text.insert(text.begin(), '+');
  } catch (const std::exception& e) {
    text.assign("-").append(e.what());
  }
  for (size_t sent = 0; sent < text.size();) {
    const ssize_t n = write(pipe_end, text.data() + sent, text.size() - sent);
    if (n < 0 && errno != EINTR) _exit(1);
    if (n > 0) sent += static_cast<size_t>(n);
  }
  std::fflush(nullptr);
  _exit(0);
}

}  // namespace

std::string in_child(const std::function<std::string()>& work) {
  int ends[2];
  check(pipe(ends) == 0, "no pipe to a measuring process");
  std::fflush(nullptr);
  const pid_t child = fork();
  check(child >= 0, "no measuring process");
  if (child == 0) {
    close(ends[0]);
    answer(ends[1], work);
  }
  close(ends[1]);
  std::string text;
  char part[4096];
  for (ssize_t n = 0; (n = read(ends[0], part, sizeof(part))) > 0 || (n < 0 && errno == EINTR);)
    if (n > 0) text.append(part, static_cast<size_t>(n));
  close(ends[0]);
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  check(WIFEXITED(status) && !text.empty(), "a measuring process died",
        WIFSIGNALED(status) ? " of signal " + std::to_string(WTERMSIG(status)) : std::string());
  check(text[0] == '+', text.substr(1));
  return text.substr(1);
}

int64_t resident_memory() {
  long pages = 0;
  if (std::FILE* file = std::fopen("/proc/self/statm", "r")) {
    if (std::fscanf(file, "%*d %ld", &pages) != 1) pages = 0;
    std::fclose(file);
  }
  return int64_t{pages} * sysconf(_SC_PAGESIZE);
}

}  // namespace octet::bench

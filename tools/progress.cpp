// SPDX-License-Identifier: Apache-2.0
// Drawing the bar on standard error, so that standard output stays clean for tables.
#include "tools/progress.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace octet::tools {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr int kWidth = 24;

}  // namespace

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

std::string clock_text(double seconds) {
  const auto whole = static_cast<int64_t>(std::max(seconds, 0.0) + 0.5);
  return fmt::format("{}:{:02}", whole / 60, whole % 60);
}

int64_t peak_memory() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

ProgressBar::ProgressBar(std::string title, int64_t steps, std::string unit, double per_step, Elsewhere elsewhere)
    : title_(std::move(title)),
      unit_(std::move(unit)),
      steps_(std::max<int64_t>(steps, 1)),
      per_step_(per_step),
      begin_(now()),
      terminal_(isatty(STDERR_FILENO) != 0),
      quiet_(!terminal_ && elsewhere == Elsewhere::nothing) {}

ProgressBar::~ProgressBar() {
  if (open_) std::fputc('\n', stderr);
}

void ProgressBar::update(int64_t done, const std::string& note) {
  if (quiet_) return;
  const double t = now(), elapsed = t - begin_;
  const int64_t tenth = done * 10 / steps_;
  if (terminal_ ? done < steps_ && t - shown_ < kRedrawSeconds : tenth == tenth_ && done < steps_) return;
  shown_ = t;
  tenth_ = tenth;
  const double rate = elapsed > 0 ? static_cast<double>(done) / elapsed : 0;
  const int filled = static_cast<int>(done * kWidth / steps_);
  const std::string bar = std::string(static_cast<size_t>(filled), '#') + std::string(static_cast<size_t>(kWidth - filled), '.');
  const std::string left = rate > 0 ? clock_text(static_cast<double>(steps_ - done) / rate) : "?";
  fmt::print(stderr, "{}{:<16} [{}] {:3}%  {:>6.0f} {}/s  {} left  {}{}", terminal_ ? "\r" : "", title_, bar, done * 100 / steps_,
             rate * per_step_, unit_, left, note, terminal_ ? "   " : "\n");
  std::fflush(stderr);
  open_ = terminal_ && done < steps_;
  if (terminal_ && !open_) std::fputc('\n', stderr);  // what is printed next begins a line
}

}  // namespace octet::tools

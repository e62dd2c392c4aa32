// SPDX-License-Identifier: Apache-2.0
// A progress bar on the terminal: one line that rewrites itself, or a line every tenth of the way where output is a file.
#pragma once

#include <cstdint>
#include <string>

namespace octet::tools {

/// Seconds since some fixed point.
double now();

class ProgressBar {
 public:
  /// What is drawn where standard error is no terminal.
  enum class Elsewhere : uint8_t { lines, nothing };
  /// `unit` is what the rate counts ("images"), `per_step` how many of them one step is.
  ProgressBar(std::string title, int64_t steps, std::string unit, double per_step, Elsewhere elsewhere = Elsewhere::lines);
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;

  /// `done` of the steps are done; `note` ("loss 0.31") stands at the end of the line.
  void update(int64_t done, const std::string& note = "");

 private:
  std::string title_, unit_;
  int64_t steps_;
  double per_step_, begin_, shown_ = 0;
  int64_t tenth_ = 0;
  bool terminal_, quiet_, open_ = false;
};

/// "1:05" for 65 seconds.
std::string clock_text(double seconds);
/// Largest resident set of this process so far, bytes.
int64_t peak_memory();

}  // namespace octet::tools

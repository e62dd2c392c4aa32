// SPDX-License-Identifier: Apache-2.0
// What a test could not do on this machine or in this build. The lines printed here are read by tests/count.py, which lists and
// counts them: a case that was skipped has not passed.
#pragma once

#include <cstdio>
#include <set>
#include <string>

#include "tests/catch.h"

namespace octet::testing {

/// `kind` is "case" for the whole of the running case, "part" for some of it; each line is printed once per process.
inline void print_skipped(const std::string& kind, const std::string& what, const std::string& why) {
  static std::set<std::string> printed;
  const std::string line = "skipped " + kind + ": " + what + ": " + why;
  if (printed.insert(line).second) std::printf("%s\n", line.c_str());
}

/// Part of what this program compares, such as an instruction set.
inline void skip_part(const std::string& what, const std::string& why) { print_skipped("part", what, why); }

}  // namespace octet::testing

/// Ends the running case, which counts as skipped.
#define OCTET_SKIP_CASE(why)                                                                    \
  do {                                                                                          \
    octet::testing::print_skipped("case", Catch::getResultCapture().getCurrentTestName(), why); \
    return;                                                                                     \
  } while (false)

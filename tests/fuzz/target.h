// SPDX-License-Identifier: Apache-2.0
// What every fuzz target is: a function of bytes that may throw octet::Error and nothing else. libFuzzer calls it (tests/fuzz/run),
// and so does an ordinary test for each seed (replay.cpp).
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>
#include <string>

#include "engine/check.h"
#include "io/file.h"

namespace octet::fuzz {

using Span = std::span<const std::byte>;

/// f(), whether it was refused or not. Any other exception, or an Error without the file's name in front, ends the program.
template <class F>
bool accepted(const F& f) {
  try {
    f();
    return true;
  } catch (const Error& e) {
    if (std::string_view(e.what()).starts_with("x: ")) return false;
    std::fprintf(stderr, "the message does not name the file: %s\n", e.what());
    std::abort();
  }
}

/// What has to hold of everything that was accepted.
inline void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "does not hold: %s\n", what);
  std::abort();
}

/// One input for this target.
void run(Span bytes);

}  // namespace octet::fuzz

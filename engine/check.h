// SPDX-License-Identifier: Apache-2.0
// The one exception of the host side and the one way to throw it: check(condition, path, ": ", what, …).
#pragma once

#include <stdexcept>
#include <string>

#include "engine/text.h"

namespace octet {

/// What every failed precondition throws. The message starts with the module path, file or operator at fault and holds what was
/// expected and what came.
class Error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// An Error of its own type, so that whoever knows the module can add it.
class OutOfMemory : public Error {
 public:
  using Error::Error;
};

template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  Text message;
  message.precision(9);
  (message << ... << parts);
  throw Error(message.str());
}

template <class... Parts>
void check(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(parts...);
}

}  // namespace octet

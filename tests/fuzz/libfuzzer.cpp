// SPDX-License-Identifier: Apache-2.0
// A fuzz target for libFuzzer, which brings its own main.
#include "tests/fuzz/target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  octet::fuzz::run({reinterpret_cast<const std::byte*>(data), size});
  return 0;
}

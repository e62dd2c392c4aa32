// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the .npy reader: what it reads it can write and read again.
#include "io/npy.h"

#include "tests/fuzz/target.h"
#include "tests/same.h"

void octet::fuzz::run(Span bytes) {
  Tensor t;
  if (accepted([&] { t = parse_npy(bytes, "x"); })) require(testing::same(parse_npy(npy_bytes(t), "y"), t), "npy round trip");
  accepted([&] { parse_npy_integers(bytes, "x"); });
  accepted([&] { parse_npy_floats(bytes, "x"); });
}

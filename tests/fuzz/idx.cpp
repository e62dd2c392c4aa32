// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the IDX reader, plain and gzipped.
#include "io/idx.h"

#include "tests/fuzz/target.h"

void octet::fuzz::run(Span bytes) {
  Tensor t;
  if (accepted([&] { t = parse_idx(bytes, "x"); })) require(t.bytes() <= 1100 * bytes.size(), "no more than gzip can hold");
}

// SPDX-License-Identifier: Apache-2.0
// How often this process asked for heap memory, by who asked: oneDNN (with its OpenMP runtime) or anybody else. Linking this
// replaces operator new and malloc.
#pragma once

#include <cstdint>

namespace octet::bench {

struct Allocations {
  int64_t octet = 0;   ///< by everything that is not oneDNN, so octet while nothing else runs
  int64_t onednn = 0;  ///< by code of libdnnl or libgomp
};

/// Counts of all threads since the first call, which looks up where the libraries lie. Reading allocates nothing afterwards.
Allocations allocations();

}  // namespace octet::bench

// SPDX-License-Identifier: Apache-2.0
// The two kinds of plan, and what they share; see plan.cpp.
#pragma once

#include "kernels/native/vnni/plan.h"

namespace octet::native::vnni {

constexpr int32_t kMostStrips = 32;  ///< of a depthwise row: 2 to 3 KiB of tables each

void plan_dense(const kernels::Conv2dArgs&, Plan&);
void plan_depthwise(const kernels::Conv2dArgs&, Plan&);

Source source_of(const kernels::Conv2dArgs&, int32_t planes);
Packed pack_dense(const kernels::Conv2dArgs&, const Blobs&, const int8_t* plain);
/// The weights that a packing was made of.
std::vector<int8_t> unpack_dense(const Packed&);
std::vector<int8_t> unpack_depthwise(const Packed&);
Packed pack_depthwise(const kernels::Conv2dArgs&, const Blobs&, const int8_t* plain);

/// Of the input's codes with i8 ones 128 higher.
uint8_t unsigned_zero_point(const kernels::Conv2dArgs&);
/// A window row is one run of bytes.
bool joined(const kernels::Conv2dArgs&);
/// A depthwise layer whose lanes serve two output rows.
bool in_pairs(const kernels::Conv2dArgs&);
/// What the zero point takes from every sum.
int32_t initial_sum(const kernels::Conv2dArgs&, int32_t sum_of_weights);

}  // namespace octet::native::vnni

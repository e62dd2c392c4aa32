// SPDX-License-Identifier: Apache-2.0
// The two kinds of plan, and what they share; see plan.cpp.
#pragma once

#include "kernels/native/vnni/plan.h"

namespace octet::native::vnni {

constexpr int32_t kMostStrips = 32;  ///< of a depthwise row: 2 to 3 KiB of tables each

void plan_dense(const kernels::Conv2dArgs&, const Blobs&, Plan&);
void plan_depthwise(const kernels::Conv2dArgs&, const Blobs&, Plan&);

Source source_of(const kernels::Conv2dArgs&, int32_t planes);
/// What the zero point takes from every sum.
int32_t initial_sum(const Source&, int32_t sum_of_weights);

}  // namespace octet::native::vnni

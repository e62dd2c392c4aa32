// SPDX-License-Identifier: Apache-2.0
// Host side of the Cortex-M kernels: weights, start values and rescaling constants of one layer as the bytes that the device
// kernels stream (deterministic: the same layer gives the same bytes), and the proof that the layer stays inside what they compute
// exactly.
#pragma once

#include <string>
#include <vector>

#include "kernels/args.h"
#include "kernels/ref/ref.h"

namespace octet::cortex_m {

enum class Target : uint8_t { m4, m55 };  ///< m4: Cortex-M4 and M7 (DSP extension); m55: Helium

/// Either bytes (never empty then), or the reason why the layer must run on the reference kernel.
struct Packed {
  std::vector<uint8_t> bytes;
  std::string refusal;
};

/// `data` gives weights and channel tables; input and output are not looked at.
Packed pack(const kernels::Conv2dArgs&, const kernels::Buffers& data, Target);
Packed pack(const kernels::LinearArgs&, const kernels::Buffers& data, Target);

Packed pack(const kernels::AddArgs&, Target);

}  // namespace octet::cortex_m

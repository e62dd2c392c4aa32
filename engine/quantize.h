// SPDX-License-Identifier: Apache-2.0
// Tensors of floats and tensors of codes, each from the other, by the rules of docs/architecture.md, section 4.
#pragma once

#include <string_view>

#include "engine/tensor.h"
#include "kernels/args.h"

namespace octet {

/// u8 or i8 codes? Negative qmin means i8. Codes beyond 8 bits are i16, those of a bias i32.
DType code_dtype(const QParams&);
/// Float tensor -> codes by the rule of docs/architecture.md section 4; per tensor or per channel along qparams.axis.
Tensor quantize(const Tensor&, const QParams&, Rounding = Rounding::real);
/// Codes -> float32; a float tensor comes back unchanged.
Tensor dequantize(const Tensor&);
/// What codes of a bias mean: int32, in units of these scales, one or one by channel. Where they are a layer's input scale times
/// its weights' scales (in float32), every integer rounding adds the codes as they are.
QParams bias_qparams(std::vector<float> scale);
/// Throws naming `path` unless the codes have the dtype and range their parameters say: what an int32 bound relies on.
void check_codes(const Tensor&, std::string_view path);

}  // namespace octet

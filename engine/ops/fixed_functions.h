// SPDX-License-Identifier: Apache-2.0
// Functions of one code as TensorFlow Lite computes them, in integers alone: what models of the fixed roundings look up.
#pragma once

#include <functional>
#include <optional>

#include "engine/ops/elementwise.h"

namespace octet {

/// i8 code (not clamped yet) of a difference from the input's zero point; empty where that dialect has no formula for the function,
/// or none for these parameters: then the general rule holds. sigmoid gives codes of 1/256 from -128 on, tanh of 1/128 around 0.
std::optional<std::function<int32_t(int32_t)>> fixed_function(const Unary&, const QParams& x, const QParams& y, Rounding);

/// The same for one channel of a PRelu, in a fixed rounding. A float slope is leaky_relu's alpha.
std::function<int32_t(int32_t)> fixed_prelu(float slope, const QParams& x, const QParams& y, Rounding);
/// A slope in codes of this scale, counted from their zero point: TensorFlow Lite's PRELU, u times slope below zero.
std::function<int32_t(int32_t)> fixed_prelu(int32_t slope, float slope_scale, const QParams& x, const QParams& y, Rounding);

/// TensorFlow Lite's formulas of 16-bit codes: sigmoid and tanh that give codes of 2^-15, leaky_relu. Empty where it has none, and
/// for codes of 8 bits; the count is the caller's.
std::optional<kernels::ActivationArgs> activation_16(const Unary&, const QParams& x, const QParams& y, Rounding);

/// e^(beta * scale * difference) for a difference <= 0 in units of 2^-31, as TensorFlow Lite's softmax computes it; -1: too small
/// to count.
int32_t exp_of_negative_code(int32_t difference, float scale, float beta);

}  // namespace octet

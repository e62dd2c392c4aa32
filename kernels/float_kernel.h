// SPDX-License-Identifier: Apache-2.0
// Kernels of modules that compute in float: their arguments, plain structs as those of integer kernels but of this host alone (no
// image holds them), and make(), which binds them to a module's weights behind the same interface.
#pragma once

#include <array>
#include <string_view>
#include <variant>

#include "kernels/geometry.h"
#include "kernels/kernel.h"

namespace octet {

/// y = limit(conv(x, w) + bias + residual). Tables: floats (O,kH,kW,I/groups), bias (empty: none). The second input is the
/// residual.
struct FloatConv2dArgs {
  ConvGeometry geometry;
  float act_min, act_max;  ///< infinite: no limit
  bool residual;
};
/// y = limit(x w^T + bias), x of [rows, in]. Tables: floats [out, in], bias (empty: none).
struct FloatLinearArgs {
  int64_t rows, in, out;
  float act_min, act_max;
};
/// y = x * scale[c] + bias[c], x of [rows, channels]: a batch norm with running statistics. Tables: scale, bias.
struct FloatAffineArgs {
  int64_t rows, channels;
};
struct FloatPool2dArgs {
  PoolGeometry geometry;
  kernels::PoolKind kind;
};
/// y = limit(x).
struct FloatClampArgs {
  int64_t count;
  float act_min, act_max;
};
/// y = limit(a + b).
struct FloatAddArgs {
  int64_t count;
  float act_min, act_max;
};
/// Every product of matrices along up to four axes of them; steps in elements, 0: the same matrix for all.
struct FloatMatMulArgs {
  std::array<int64_t, 4> batch{1, 1, 1, 1}, a_batch{}, b_batch{};
  int64_t m, n, k;
  bool transpose_a, transpose_b;  ///< as in f32::Matmul
};

using FloatArgs =
    std::variant<FloatConv2dArgs, FloatLinearArgs, FloatAffineArgs, FloatPool2dArgs, FloatClampArgs, FloatAddArgs, FloatMatMulArgs>;

std::string_view name_of(const FloatArgs&);  ///< "conv2d", "linear", "affine", …
int64_t macs(const FloatArgs&);
int64_t output_bytes(const FloatArgs&);

/// A kernel for these arguments, for the threads() of now: the same bits as the functions of kernels/f32/f32.h called one after the
/// other. Its weights stay in `blobs`, packed ones too.
std::unique_ptr<Kernel> make(const FloatArgs&, std::shared_ptr<const Blobs>);

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// Pooling over windows of positions.
#pragma once

#include "engine/ops/op.h"

namespace octet {

enum class Pool : uint8_t { max, average, adaptive_average };

template <>
inline constexpr std::array<std::string_view, 3> kEnumNames<Pool>{"max", "average", "adaptive_average"};

/// Pooling over N,H,W,C, or N,L,C with a kernel of height 1. Adaptive pooling reads `output`; the other kinds read kernel, stride,
/// padding, ceil_mode.
struct Pool2d {
  Pool kind = Pool::max;
  Pair kernel{2, 2}, stride{2, 2};
  Pads padding{};
  bool ceil_mode = false, count_include_pad = true;
  Pair output{1, 1};

  static constexpr std::string_view name = "pool2d";
  static constexpr auto fields =
      std::tuple{Field{"kind", &Pool2d::kind},           Field{"kernel", &Pool2d::kernel},
                 Field{"stride", &Pool2d::stride},       Field{"padding", &Pool2d::padding},
                 Field{"ceil_mode", &Pool2d::ceil_mode}, Field{"count_include_pad", &Pool2d::count_include_pad},
                 Field{"output", &Pool2d::output}};
  bool operator==(const Pool2d&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const;
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder&) { return false; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  Lowered lower(const LowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

/// The p-norm of every window, (sum of |x|^p)^(1/p), over N,H,W,C or N,L,C as above, as ONNX's LpPool; PyTorch's LPPool2d is the
/// same for even p and windows that are whole (it leaves out |.|, and scales those cut off by ceil_mode). Computes in float.
struct LpPool2d {
  Pair kernel{2, 2}, stride{2, 2};
  Pads padding{};
  double p = 2;
  bool ceil_mode = false;

  static constexpr std::string_view name = "lp_pool2d";
  static constexpr auto fields =
      std::tuple{Field{"kernel", &LpPool2d::kernel}, Field{"stride", &LpPool2d::stride}, Field{"padding", &LpPool2d::padding},
                 Field{"p", &LpPool2d::p}, Field{"ceil_mode", &LpPool2d::ceil_mode}};
  bool operator==(const LpPool2d&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return {.codes = Codes::none, .channels = Channels::scales, .part = Part::other, .pads = true}; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder&) { return false; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
};

/// PyTorch's MaxPool1d, AvgPool1d and AdaptiveAvgPool1d over N,L,C.
struct Pool1d {
  Pool kind = Pool::max;
  int64_t kernel = 2, stride = 2, padding = 0;
  bool ceil_mode = false, count_include_pad = true;
  int64_t output = 1;

  Pool2d over_pictures() const {
    return {.kind = kind,
            .kernel = {1, kernel},
            .stride = {1, stride},
            .padding = {0, padding, 0, padding},
            .ceil_mode = ceil_mode,
            .count_include_pad = count_include_pad,
            .output = {1, output}};
  }
};

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// Normalizations of channels.
#pragma once

#include "engine/ops/op.h"

namespace octet {

/// Batch norm over the last axis (BatchNorm1d and 2d). params: weight, bias, running_mean, running_var; while its statistics are
/// frozen: frozen (1).
struct BatchNorm {
  int64_t channels = 0;
  double eps = 1e-5, momentum = 0.1;

  static constexpr std::string_view name = "batch_norm";
  static constexpr auto fields =
      std::tuple{Field{"channels", &BatchNorm::channels}, Field{"eps", &BatchNorm::eps}, Field{"momentum", &BatchNorm::momentum}};
  bool operator==(const BatchNorm&) const = default;
  std::vector<Param> params() const;
  Traits traits() const { return {.codes = Codes::none, .channels = Channels::mixes, .part = Part::norm}; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder& order) { return order.keeps_last(); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables float_tables(const FloatLowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

/// Each position's values along the last axis, moved to mean 0 and variance 1, times weight, plus bias (both [features]; without
/// `affine` neither). Computes in float.
struct LayerNorm {
  int64_t features = 0;
  double eps = 1e-5;
  bool affine = true;

  static constexpr std::string_view name = "layer_norm";
  static constexpr auto fields =
      std::tuple{Field{"features", &LayerNorm::features}, Field{"eps", &LayerNorm::eps}, Field{"affine", &LayerNorm::affine}};
  bool operator==(const LayerNorm&) const = default;
  std::vector<Param> params() const;
  Traits traits() const { return {.codes = Codes::none, .channels = Channels::mixes, .part = Part::other}; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder& order) { return order.keeps_last(); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
};

/// The same over each image's positions and the channels of a group (the last axis); params weight and bias [channels]. As many
/// groups as channels: InstanceNorm. Computes in float.
struct GroupNorm {
  int64_t groups = 1, channels = 0;
  double eps = 1e-5;
  bool affine = true;

  static constexpr std::string_view name = "group_norm";
  static constexpr auto fields = std::tuple{Field{"groups", &GroupNorm::groups}, Field{"channels", &GroupNorm::channels},
                                            Field{"eps", &GroupNorm::eps}, Field{"affine", &GroupNorm::affine}};
  bool operator==(const GroupNorm&) const = default;
  std::vector<Param> params() const;
  Traits traits() const { return {.codes = Codes::none, .channels = Channels::mixes, .part = Part::other}; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder&) { return false; }
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
};

/// Values along the last axis over the root of their squares' mean, times weight [features] if `affine`. Computes in float.
struct RMSNorm {
  int64_t features = 0;
  double eps = 1e-6;
  bool affine = true;

  static constexpr std::string_view name = "rms_norm";
  static constexpr auto fields =
      std::tuple{Field{"features", &RMSNorm::features}, Field{"eps", &RMSNorm::eps}, Field{"affine", &RMSNorm::affine}};
  bool operator==(const RMSNorm&) const = default;
  std::vector<Param> params() const;
  Traits traits() const { return {.codes = Codes::none, .channels = Channels::mixes, .part = Part::other}; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder& order) { return order.keeps_last(); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
};

/// Values along the last axis over the root of their squares' sum, or over eps where that is less. Computes in float.
struct L2Normalize {
  double eps = 1e-12;

  static constexpr std::string_view name = "l2_normalize";
  static constexpr auto fields = std::tuple{Field{"eps", &L2Normalize::eps}};
  bool operator==(const L2Normalize&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const { return {.codes = Codes::none, .channels = Channels::mixes, .part = Part::other}; }
  Activation activation() const { return Activation::none; }
  static bool remap_axes(const AxisOrder& order) { return order.keeps_last(); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
};

/// Exponentials along an axis (negative: from the end) over their sum, of beta times the input; `log`: their logarithm, which
/// computes in float. Codes of 1/256 from 0 on.
struct Softmax {
  int64_t axis = -1;
  bool log = false;
  double beta = 1;

  static constexpr std::string_view name = "softmax";
  static constexpr auto fields =
      std::tuple{Field{"axis", &Softmax::axis}, Field{"log", &Softmax::log}, Field{"beta", &Softmax::beta}};
  bool operator==(const Softmax&) const = default;
  std::vector<Param> params() const { return {}; }
  Traits traits() const;
  Activation activation() const { return Activation::none; }
  bool remap_axes(const AxisOrder& order) { return order.move(axis); }
  std::vector<Shape> shapes(const ShapeCall&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables tables(const LowerCall&) const;
  Lowered lower(const LowerCall&) const;
};

}  // namespace octet

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
  std::vector<Shape> shapes(const ShapeCall&) const;
  void init(Params&, Generator&) const;
  std::vector<Var> forward(const Call&) const;
  ModuleTables float_tables(const FloatLowerCall&) const;
  LoweredFloats lower_float(const FloatLowerCall&) const;
};

}  // namespace octet

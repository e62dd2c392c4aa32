// SPDX-License-Identifier: Apache-2.0
// What the networks are made of. Every function returns the index of its last module.
#pragma once

#include <string>

#include "engine/model.h"

namespace octet::bench {

struct ConvBn {
  int64_t in, out, kernel = 3, stride = 1, groups = 1;
  bool relu = true;
  UnaryFn act = UnaryFn::relu;  ///< in the relu's place
};

/// Convolution with "same" padding, batch norm and (or not) relu, or another function.
inline int conv_bn(Model& m, const std::string& path, int input, const ConvBn& c) {
  m.add(path + ".conv",
        Conv2d{.in = c.in,
               .out = c.out,
               .kernel = {c.kernel, c.kernel},
               .stride = {c.stride, c.stride},
               .padding = pad_all(c.kernel / 2),
               .groups = c.groups,
               .bias = false},
        {input});
  const int norm = m.add(path + ".bn", BatchNorm{c.out});
  return c.relu ? m.add(path + ".relu", Unary{c.act}) : norm;
}

/// Squeeze and excitation: every channel times a factor between 0 and 1, which two layers make of the channels' means.
struct Excitation {
  int64_t channels, squeezed;
  UnaryFn act = UnaryFn::relu, gate = UnaryFn::sigmoid;
};
inline int excited(Model& m, const std::string& path, int input, const Excitation& e) {
  m.add(path + ".mean", Pool2d{.kind = Pool::adaptive_average}, {input});
  m.add(path + ".squeeze", Conv2d{.in = e.channels, .out = e.squeezed, .kernel = {1, 1}});
  m.add(path + ".act", Unary{e.act});
  m.add(path + ".excite", Conv2d{.in = e.squeezed, .out = e.channels, .kernel = {1, 1}});
  const int gate = m.add(path + ".gate", Unary{e.gate});
  return m.add(path + ".mul", Binary{BinaryFn::mul}, {input, gate});
}

/// Mean over all positions, then a linear layer.
inline int classifier(Model& m, int input, int64_t channels, int64_t classes) {
  m.add("mean", Pool2d{.kind = Pool::adaptive_average}, {input});
  m.add("flatten", Reshape{{0, -1}});
  return m.add("head", Linear{channels, classes});
}

}  // namespace octet::bench

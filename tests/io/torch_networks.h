// SPDX-License-Identifier: Apache-2.0
// Networks that tests/io/torch_roundtrip.py has in PyTorch, too, module for module and name for name.
#pragma once

#include "engine/model.h"

namespace octet::testing {

/// A kernel that fits both ways (3x3x3x3), a depthwise one, a flattened picture with a batch norm, a slope and layers behind it.
inline Model torch_cnn() {
  Model m;
  m.add("image", Input{{1, 7, 6, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 3, .padding = pad_all(1), .bias = false});
  m.add("bn", BatchNorm{3});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("depthwise", Conv2d{.in = 3, .out = 6, .kernel = {3, 2}, .stride = {2, 1}, .groups = 3});
  m.add("flatten", Reshape{{0, -1}});
  m.add("norm", BatchNorm{6 * 3 * 5});
  m.add("slope", PRelu{6 * 3 * 5});
  m.add("drop", Dropout{0.5});
  m.add("hidden", Linear{6 * 3 * 5, 8});
  m.add("layer_norm", LayerNorm{8});
  m.add("head", Linear{8, 5});
  return m;
}

inline Model torch_transposed() {
  Model m;
  m.add("image", Input{{1, 3, 4, 4}});
  m.add("up", ConvTranspose2d{.in = 4, .out = 6, .kernel = {2, 3}, .stride = {2, 2}, .groups = 2});
  m.add("norm", GroupNorm{3, 6});
  m.add("slope", PRelu{6});
  m.add("same", ConvTranspose2d{.in = 6, .out = 6, .padding = pad_all(1)});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{6, 2, false});
  return m;
}

inline Model torch_sequence() {
  Model m;
  m.add("signal", Input{{1, 10, 3}});
  m.add("conv", Conv1d{.in = 3, .out = 4, .padding = 1});
  m.add("bn", BatchNorm{4});
  m.add("up", ConvTranspose1d{.in = 4, .out = 2, .kernel = 2, .stride = 2});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{40, 3});
  return m;
}

/// Rows of a table, a parameter of its own, a layer called twice; axes are as in PyTorch.
inline Model torch_tokens() {
  Model m;
  m.add("tokens", Input{{1, 6}});
  const int rows = m.add("table", Embedding{11, 8});
  const int places = m.add("places", Constant{{1, 6, 8}});
  m.add("sum", Binary{BinaryFn::add}, {rows, places});
  m.add("norm", LayerNorm{8});
  m.add("block.layer", Linear{8, 8});
  m.add("act", Unary{UnaryFn::tanh});
  m.add_tied("again", "block.layer");
  m.add("root", RMSNorm{8});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{48, 3});
  return m;
}

/// A Transpose that says channel-first: the columns of the layer behind it are PyTorch's.
inline Model torch_channel_first() {
  Model m;
  m.add("image", Input{{1, 4, 5, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 4, .kernel = {1, 3}});
  m.add("chw", Transpose{{0, 3, 1, 2}});
  m.add("flatten", Reshape{{0, -1}});
  m.add("head", Linear{48, 3});
  return m;
}

/// Parameters of the picture's shape and of its channels, and two flattened pictures side by side.
inline Model torch_branches() {
  Model m;
  const int image = m.add("image", Input{{1, 4, 4, 3}});
  const int gain = m.add("gain", Constant{{1, 1, 1, 3}});
  const int scaled = m.add("scaled", Binary{BinaryFn::mul}, {image, gain});
  const int offset = m.add("offset", Constant{{1, 4, 4, 3}});
  const int shifted = m.add("shifted", Binary{BinaryFn::add}, {scaled, offset});
  const int left = m.add("left", Reshape{{0, -1}}, {shifted});
  const int conv = m.add("conv", Conv2d{.in = 3, .out = 2, .stride = {2, 2}, .padding = pad_all(1)}, {shifted});
  const int right = m.add("right", Reshape{{0, -1}}, {conv});
  m.add("both", Concat{1}, {left, right});
  m.add("head", Linear{56, 3});
  return m;
}

}  // namespace octet::testing

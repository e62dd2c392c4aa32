// SPDX-License-Identifier: Apache-2.0
// The two networks of PyTorch's eager-mode numerics tests, with its parameters and data drawn in its order.
#pragma once

#include "engine/model.h"
#include "quant/quantize.h"

namespace octet::reference {

/// conv1-bn1-relu1, addition of the input, relu2, adaptive average pool 4x4, conv2, max pool 2x2, two copies joined along the
/// batch, rows of 12 in channel-first order, fc. Output: twice as many rows as pictures.
inline Model multiple_ops() {
  Model m;
  const int x = m.add("quant", Input{{2, 15, 15, 3}});
  m.add("conv1", Conv2d{.in = 3, .out = 3, .kernel = {1, 1}, .bias = false}, {x});
  m.add("bn1", BatchNorm{3});
  const int relu1 = m.add("relu1", Unary{UnaryFn::relu});
  const int downsample = m.add("downsample", Unary{UnaryFn::identity}, {x});
  m.add("skip_add", Binary{BinaryFn::add}, {relu1, downsample});
  m.add("relu2", Unary{UnaryFn::relu});
  m.add("avgpool", Pool2d{.kind = Pool::adaptive_average, .output = {4, 4}});
  m.add("conv2", Conv2d{.in = 3, .out = 3, .kernel = {1, 1}, .bias = false});
  const int pooled = m.add("maxpool", Pool2d{.kind = Pool::max});
  m.add("cat", Concat{0}, {pooled, pooled});
  m.add("nchw", Transpose{{0, 3, 1, 2}});
  m.add("rows", Reshape{{-1, 12}});
  m.add("fc", Linear{.in = 12, .out = 6});
  return m;
}

/// The same without the average pool; conv2 runs twice, on the input and on the pooled sum. Output: half as many rows as pictures.
inline Model multiple_ops_no_avg_pool() {
  Model m;
  const int x = m.add("quant", Input{{10, 15, 15, 3}});
  m.add("conv1", Conv2d{.in = 3, .out = 3, .kernel = {1, 1}, .bias = false}, {x});
  m.add("bn1", BatchNorm{3});
  const int relu1 = m.add("relu1", Unary{UnaryFn::relu});
  const int skip = m.add("conv2", Conv2d{.in = 3, .out = 3, .kernel = {1, 1}, .bias = false}, {x});
  m.add("skip_add", Binary{BinaryFn::add}, {relu1, skip});
  m.add("relu2", Unary{UnaryFn::relu});
  m.add("maxpool", Pool2d{.kind = Pool::max, .kernel = {4, 4}, .stride = {4, 4}});
  m.add_tied("conv2_again", "conv2");
  const int pooled = m.add("maxpool2", Pool2d{.kind = Pool::max});
  m.add("cat", Concat{0}, {pooled, pooled});
  m.add("nchw", Transpose{{0, 3, 1, 2}});
  m.add("rows", Reshape{{-1, 12}});
  m.add("fc", Linear{.in = 12, .out = 6});
  return m;
}

inline const std::vector<std::vector<std::string>> kFusion = {{"conv1", "bn1", "relu1"}};

/// rand(n, 3, 15, 15) as PyTorch draws it, channels last.
inline Tensor pictures(Generator& g, int64_t n) { return nhwc_from_nchw(rand(g, {n, 3, 15, 15})); }

inline Tensor one(const Model& model, const Tensor& x) { return infer(model, {&x, 1})[0]; }

/// Hidden draws of one prepare_qat of multiple_ops_no_avg_pool in PyTorch.
inline constexpr int64_t kPrepareQatDraws = 99;

/// Fuse for training, prepare, observe the calibration data with frozen batch norms, then round with the observers off.
inline Model fake_quantized(const Model& model, const QConfig& qconfig, Ties ties, const Tensor& calibration) {
  Model m = prepare(fuse(model, kFusion, Aim::training), {{"", qconfig}}, ties);
  disable_fake_quant(m);
  freeze_bn_stats(m);
  calibrate(m, {&calibration, 1});
  enable_fake_quant(m);
  disable_observer(m);
  return m;
}

}  // namespace octet::reference

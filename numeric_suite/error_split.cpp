// SPDX-License-Identifier: Apache-2.0
// Each origin is the difference of two ways to compute the same output.
#include "numeric_suite/error_split.h"

#include <algorithm>
#include <cmath>

namespace octet {
namespace {

std::vector<double> row_magnitudes(const Tensor& weight) {
  std::vector<double> m;
  const int64_t row = weight.numel() / weight.size(0);
  for (int64_t o = 0; o < weight.size(0); ++o) {
    double largest = 0;
    for (const float w : weight.data<float>().subspan(o * row, row)) largest = std::max(largest, std::abs(static_cast<double>(w)));
    m.push_back(largest);
  }
  return m;
}

}  // namespace

SplitSums::SplitSums(const Pairing& pairing, const Model& quantized)
    : pairing_(pairing), quantized_(quantized), unrounded_(quantized), layers_(quantized.modules.size()) {
  for (Module& module : unrounded_.modules) module.out_q.clear();
}

void SplitSums::add(int index, std::span<const Tensor> inputs, const Tensor& truth, const Tensor& output, ModuleRunner& floats) {
  if (!output.qparams() || quantized_.keeps_qparams(quantized_.modules[index])) return;
  std::vector<Tensor> in;
  for (const Tensor& t : inputs) in.push_back(dequantize(t));
  const Tensor shadow = floats.run(pairing_.counterpart[index], in)[0];  // float weights, quantized input
  const Tensor exact = infer_module(unrounded_, index, in)[0];           // int8 weights, not requantized
  const Tensor rounded = dequantize(output);
  for (const Tensor* other : {&shadow, &exact, &rounded})
    check(other->shape() == truth.shape(), quantized_.modules[index].path, ": expected an output of shape ",
          to_string(truth.shape()), " as in the float model, got ", to_string(other->shape()));
  const QParams& q = *output.qparams();
  const float grid_low = q.scale[0] * static_cast<float>(q.qmin - q.zero_point[0]);
  const float grid_high = q.scale[0] * static_cast<float>(q.qmax - q.zero_point[0]);
  const float half = q.scale[0] / 2;
  Layer& s = layers_[index];
  const auto channels = static_cast<size_t>(truth.rank() == 0 ? 1 : truth.shape().back());
  s.mean.resize(channels), s.magnitude.resize(channels);
  const float *t = truth.data<float>().data(), *f = shadow.data<float>().data(), *e = exact.data<float>().data(),
              *r = rounded.data<float>().data();
  const auto square = [](float a, float b) {
    const double d = static_cast<double>(a) - static_cast<double>(b);
    return d * d;
  };
  for (int64_t i = 0; i < truth.numel();)
    for (size_t c = 0; c < channels; ++c, ++i) {
      // Up to half a code beyond the ends is rounding as anywhere else.
      const float cut = std::clamp(e[i], grid_low - half, grid_high + half);
      s.signal += square(f[i], 0), s.inherited += square(f[i], t[i]), s.own += square(e[i], f[i]);
      s.clipping += square(cut, e[i]), s.rounding += square(r[i], cut);
      s.mean[c] += static_cast<double>(e[i]) - static_cast<double>(f[i]);
      s.magnitude[c] = std::max(s.magnitude[c], std::abs(e[i]));
      s.low += e[i]<grid_low - half, s.high += e[i]> grid_high + half;
      s.min = std::min(s.min, e[i]), s.max = std::max(s.max, e[i]);
    }
  s.elements += truth.numel();
}

Symptoms SplitSums::symptoms(int index) const {
  const Layer& l = layers_[index];
  const Module& module = quantized_.modules[index];
  Symptoms s;
  if (l.elements == 0) return s;
  const auto n = static_cast<double>(l.elements), per_channel = n / static_cast<double>(l.mean.size());
  for (size_t c = 0; c < l.mean.size(); ++c) {
    const double mean = l.mean[c] / per_channel;
    s.split.bias += mean * mean / static_cast<double>(l.mean.size());
    if (std::abs(mean) > std::abs(s.worst_bias)) s.worst_bias = mean, s.worst_bias_channel = static_cast<int>(c);
  }
  s.signal = l.signal / n, s.split.inherited = l.inherited / n, s.split.rounding = l.rounding / n,
  s.split.clipping = l.clipping / n;
  s.split.weight = std::max(0.0, l.own / n - s.split.bias);
  s.low = static_cast<double>(l.min), s.high = static_cast<double>(l.max);
  s.clipped_low = static_cast<double>(l.low) / n, s.clipped_high = static_cast<double>(l.high) / n;
  s.output_ranges.assign(l.magnitude.begin(), l.magnitude.end());
  const QParams& q = *module.out_q[0];
  s.grid = true, s.wide = code_dtype(q) == DType::i16;
  s.grid_low = static_cast<double>(q.scale[0]) * (q.qmin - q.zero_point[0]);
  s.grid_high = static_cast<double>(q.scale[0]) * (q.qmax - q.zero_point[0]);
  const Params& codes = quantized_.owner(module).params;
  const Module& twin = pairing_.reference.modules[pairing_.counterpart[index]];
  const Params& real = pairing_.reference.owner(twin).params;
  const Tensor *weight = weight_of(codes), *bias = bias_of(codes), *real_bias = bias_of(real);
  s.has_weights = is_weighted(module.op) && weight;
  if (!s.has_weights) return s;
  s.per_tensor_weights = weight->qparams() && weight->qparams()->axis < 0;
  s.weight_ranges = row_magnitudes(needed_weight(real, twin.path));
  const Tensor stored = bias ? dequantize(*bias) : Tensor(), wanted = real_bias ? dequantize(*real_bias) : Tensor();
  for (int64_t c = 0; bias && c < bias->numel(); ++c) {
    const double d = static_cast<double>(stored.data<float>()[c]) - (real_bias ? static_cast<double>(wanted.data<float>()[c]) : 0);
    s.stored_bias += d * d / static_cast<double>(bias->numel());
  }
  return s;
}

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// Sums over patches, and weights times them.
#include "quant/mean_error.h"

#include <algorithm>
#include <cmath>

#include "engine/ops/fusion.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

void add_patches(const ConvGeometry& g, const float* x, std::vector<double>& sum) {
  for (int64_t n = 0; n < g.batch; ++n)
    for (int64_t kh = 0; kh < g.kernel_h; ++kh)
      for (int64_t kw = 0; kw < g.kernel_w; ++kw) {
        double* to = sum.data() + (kh * g.kernel_w + kw) * g.in_c;
        for (int64_t oh = 0; oh < g.out_h; ++oh) {
          const int64_t h = oh * g.stride_h + kh * g.dilation_h - g.pad_top;
          if (h < 0 || h >= g.in_h) continue;
          for (int64_t ow = 0; ow < g.out_w; ++ow) {
            const int64_t w = ow * g.stride_w + kw * g.dilation_w - g.pad_left;
            if (w < 0 || w >= g.in_w) continue;
            const float* from = x + ((n * g.in_h + h) * g.in_w + w) * g.in_c;
            for (int64_t c = 0; c < g.in_c; ++c) to[c] += static_cast<double>(from[c]);
          }
        }
      }
}

Tensor as_float(const Tensor& t) {
  const Tensor values = dequantize(t);
  return values.dtype() == DType::f32 ? values : values.to(DType::f32);
}

}  // namespace

std::vector<int> calls_of(const Model& model, int index) {
  const Module& owner = model.owner(model.modules[static_cast<size_t>(index)]);
  std::vector<int> calls;
  for (size_t i = 0; i < model.modules.size(); ++i)
    if (&model.owner(model.modules[i]) == &owner) calls.push_back(static_cast<int>(i));
  return calls;
}

Tensor& bias_of_layer(Model& model, int index) {
  for (const int call : calls_of(model, index)) add_bias(model.modules[static_cast<size_t>(call)].op);
  Module& owner = model.owner(model.modules[static_cast<size_t>(index)]);
  return owner.params.try_emplace("bias", Tensor::zeros({needed_weight(owner.params, owner.path).size(0)})).first->second;
}

void subtract_from_bias(Tensor& bias, std::span<const double> error, std::string_view path) {
  if (bias.dtype() != DType::i32) {
    const auto values = bias.mutable_data<float>();
    for (size_t c = 0; c < error.size(); ++c) values[c] = static_cast<float>(static_cast<double>(values[c]) - error[c]);
    return;
  }
  const QParams q = *bias.qparams();
  const auto codes = bias.mutable_data<int32_t>();
  for (size_t c = 0; c < error.size(); ++c) {
    const double code = std::nearbyint(codes[c] - error[c] / static_cast<double>(q.scale[q.axis < 0 ? 0 : c]));
    check(std::abs(code) <= INT32_MAX, path, ": the corrected bias of channel ", c, " needs the code ", code, ", beyond 32 bits");
    codes[c] = static_cast<int32_t>(code);
  }
}

void PatchSum::add(const Op& op, const Tensor& input, std::string_view path) {
  const FloatScope environment;
  const Tensor x = as_float(input);
  const ConvGeometry g = product_geometry(op, x.shape(), path);
  sum.resize(static_cast<size_t>(g.kernel_h * g.kernel_w * g.in_c));
  add_patches(g, x.data<float>().data(), sum);
  positions += g.batch * g.out_h * g.out_w;
}

void PatchSum::merge(const PatchSum& other) {
  const FloatScope environment;
  sum.resize(std::max(sum.size(), other.sum.size()));
  for (size_t i = 0; i < other.sum.size(); ++i) sum[i] += other.sum[i];
  positions += other.positions;
}

std::vector<double> PatchSum::mean() const {
  const FloatScope environment;
  check(positions > 0, "PatchSum: no data");
  std::vector<double> m = sum;
  for (double& v : m) v /= static_cast<double>(positions);
  return m;
}

std::vector<double> mean_output(const Op& op, const Tensor& weight, const Tensor* bias, std::span<const double> mean_input) {
  const FloatScope environment;
  const Tensor w = as_float(weight), b = bias ? as_float(*bias) : Tensor();
  const float* from = w.data<float>().data();
  const std::optional<Product> product = traits_of(op).product;
  const auto out = static_cast<size_t>(w.size(0)), per_group = static_cast<size_t>(w.shape().back());
  const size_t taps = static_cast<size_t>(w.numel()) / out / per_group, groups = product ? static_cast<size_t>(product->groups) : 1;
  check(mean_input.size() == taps * per_group * groups, "mean_output: ", mean_input.size(), " means for weights of shape ",
        to_string(w.shape()), " in ", groups, " groups");
  std::vector<double> y(out);
  for (size_t o = 0; o < out; ++o) {
    const size_t first = o / (out / groups) * per_group;
    double sum = bias ? static_cast<double>(b.data<float>()[o]) : 0;
    for (size_t t = 0; t < taps; ++t)
      for (size_t i = 0; i < per_group; ++i, ++from)
        sum += static_cast<double>(*from) * mean_input[t * per_group * groups + first + i];
    y[o] = sum;
  }
  return y;
}

std::vector<double> mean_error(const Op& op, const Tensor& weight, const Tensor* bias, const Tensor& quantized_weight,
                               const Tensor* quantized_bias, std::span<const double> mean_input) {
  const FloatScope environment;
  check(weight.shape() == quantized_weight.shape(), "mean_error: weights of shapes ", to_string(weight.shape()), " and ",
        to_string(quantized_weight.shape()));
  std::vector<double> error = mean_output(op, quantized_weight, quantized_bias, mean_input);
  const std::vector<double> real = mean_output(op, weight, bias, mean_input);
  for (size_t c = 0; c < error.size(); ++c) error[c] -= real[c];
  return error;
}

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// PRelu: a slope for negative values that is trained, one for each channel. On codes a table for each channel.
#include <cmath>

#include "engine/model.h"
#include "engine/ops/fixed_functions.h"
#include "engine/ops/functional.h"
#include "engine/ops/lookup.h"
#include "engine/ops/wide.h"
#include "engine/quantize.h"
#include "kernels/parallel.h"

namespace octet {

std::vector<Shape> PRelu::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  const Shape& x = call.inputs[0];
  check(channels > 0 && channels < int64_t{1} << 20, call.path, ": ", channels, " channels");
  check(channels == 1 || (!x.empty() && x.back() == channels), call.path, ": expected ", channels,
        " channels on the last axis, got shape ", to_string(x));
  return {x};
}

void PRelu::init(Params& params, Generator&) const { params.insert_or_assign("weight", Tensor::full({channels}, 0.25)); }

std::vector<Var> PRelu::forward(const Call& call) const {
  const Var &x = call.inputs[0], slope = call.param("weight");
  check(x.dtype() == slope.dtype(), call.path, ": input is ", to_string(x.dtype()), ", weight is ", to_string(slope.dtype()));
  return dispatch_float(x.dtype(), call.path, [&]<class T>() {
    constexpr int64_t kWorthAThread = 16384;  // elements
    const int64_t n = channels;
    Tensor y(x.shape(), x.dtype());
    const T *from = x.value().data<T>().data(), *a = slope.value().data<T>().data();
    T* to = y.mutable_data<T>().data();
    parallel(y.numel(), kWorthAThread, [&](int, int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) to[i] = from[i] > 0 ? from[i] : from[i] * a[i % n];
    });
    auto vjp = [n, x = x.value(), slope = slope.value()](const Tensor& grad, const Needs& needs) {
      const T *px = x.template data<T>().data(), *a = slope.template data<T>().data(), *dy = grad.data<T>().data();
      std::vector<Tensor> grads(2);
      if (needs[0]) {
        grads[0] = Tensor(x.shape(), x.dtype());
        T* to = grads[0].mutable_data<T>().data();
        parallel(x.numel(), kWorthAThread, [&](int, int64_t begin, int64_t end) {
          for (int64_t i = begin; i < end; ++i) to[i] = px[i] > 0 ? dy[i] : dy[i] * a[i % n];
        });
      }
      if (needs[1]) {
        std::vector<double> sums(static_cast<size_t>(n));
        for (int64_t i = 0; i < x.numel(); ++i)
          if (!(px[i] > 0)) sums[static_cast<size_t>(i % n)] += static_cast<double>(dy[i]) * static_cast<double>(px[i]);
        grads[1] = Tensor(slope.shape(), slope.dtype());
        for (int64_t c = 0; c < n; ++c) grads[1].mutable_data<T>()[c] = static_cast<T>(sums[static_cast<size_t>(c)]);
      }
      return grads;
    };
    return std::vector<Var>{Var::made(std::move(y), {x, slope}, std::move(vjp))};
  });
}

ModuleTables PRelu::tables(const LowerCall& call) const {
  expect_param(*call.params, "weight", {channels}, call.path);
  const Tensor& slope = needed_weight(*call.params, call.path);
  const Tensor real = dequantize(slope);
  check(real.dtype() == DType::f32, call.path, ": expected slopes in float or codes, got ", to_string(slope.dtype()));
  const auto a = real.data<float>();
  if (call.rounding == Rounding::real || call.rounding == Rounding::int_bias || has_wide_codes(*call.output))
    return lookup_tables(call, channels, [&](int64_t c, double x) { return x > 0 ? x : x * static_cast<double>(a[c]); });
  return channel_tables(call, channels, [&](int64_t c) {
    const QParams &x = call.inputs[0], &y = *call.output;
    if (!slope.qparams()) return fixed_prelu(a[c], x, y, call.rounding);
    const QParams& q = *slope.qparams();
    const size_t pair = q.axis < 0 ? 0 : static_cast<size_t>(c);
    const int32_t code = slope.dtype() == DType::i8    ? slope.data<int8_t>()[c]
                         : slope.dtype() == DType::i16 ? slope.data<int16_t>()[c]
                                                       : slope.data<uint8_t>()[c];
    return fixed_prelu(code - q.zero_point[pair], q.scale[pair], x, y, call.rounding);
  });
}

Lowered PRelu::lower(const LowerCall& call) const { return looked_up(call, channels); }

}  // namespace octet

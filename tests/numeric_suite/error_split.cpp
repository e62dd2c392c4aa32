// SPDX-License-Identifier: Apache-2.0
// The parts of a layer's error and what goes with them, element by element in double from their definitions: what the float layer
// gives on the quantized input, what int8 weights give, what rounding and clipping make of it.
#include "numeric_suite/error_split.h"

#include <algorithm>
#include <cmath>

#include "tests/catch.h"
#include "tests/numeric_suite/support.h"

using namespace octet;

namespace {

struct Shares {
  double signal = 0, inherited = 0, own = 0, rounding = 0, clipping = 0, low = 0, high = 0;
  std::vector<double> mean, magnitude;
};

/// y = x W^T + b by hand.
std::vector<double> linear(const Tensor& x, const Tensor& weight, const Tensor& bias) {
  const Tensor w = dequantize(weight);
  const int64_t rows = x.size(0), in = w.size(1), out = w.size(0);
  std::vector<double> y;
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t o = 0; o < out; ++o) {
      double sum = static_cast<double>(bias.data<float>()[o]);
      for (int64_t i = 0; i < in; ++i)
        sum += static_cast<double>(x.data<float>()[r * in + i]) * static_cast<double>(w.data<float>()[o * in + i]);
      y.push_back(sum);
    }
  return y;
}

}  // namespace

TEST_CASE("signal, inherited, weight, bias, rounding and clipping parts are sums over their definitions") {
  for (const bool i8 : {false, true})
    for (uint64_t seed = 0; seed < 5; ++seed) {
      CAPTURE(i8, seed);
      Generator g(seed);
      Model m;
      m.add("x", Input{{1, 6}});
      m.add("fc", Linear{6, 4});
      initialize(m, g);
      // A channel that is negative everywhere and the widest of all.
      for (int i = 0; i < 6; ++i) m["fc"].params.at("weight").mutable_data<float>()[6 + i] = 0.1F * static_cast<float>(i);
      m["fc"].params.at("bias").mutable_data<float>()[1] = -3;
      QConfig q = i8 ? octet_device_qconfig() : octet_qconfig();
      const std::vector<Tensor> data{uniform(g, {300, 6}, -1, 1)};
      Model prepared = prepare(m, {{"", q}});
      calibrate(prepared, data);
      Model int8 = convert(prepared);
      const int weight_axis = int8["fc"].params.at("weight").qparams()->axis;
      QParams& grid = *int8["fc"].out_q[0];
      grid.scale[0] *= 0.35F;  // so that both ends clip
      grid.zero_point[0] = (grid.qmin + grid.qmax) / 2 + 60;
      for (float& b : int8["fc"].params.at("bias").mutable_data<float>()) b += 0.03F * g.uniform();

      const Pairing pairing = pair_up(m, int8);
      ModuleRunner floats(pairing.reference);
      SplitSums sums(pairing, int8);
      Shares e;
      e.mean.resize(4), e.magnitude.resize(4);
      double n = 0;
      for (int batch = 0; batch < 2; ++batch) {
        const Tensor x = uniform(g, {100, 6}, -1, 1);
        const Tensor codes = infer(int8, {&x, 1})[0];
        const Tensor input = quantize(x, *int8["x"].out_q[0]), xq = dequantize(input);
        sums.add(1, {&input, 1}, infer(m, {&x, 1})[0], codes, floats);
        const auto &real = m["fc"].params, &rounded = int8["fc"].params;
        const std::vector<double> t = linear(x, real.at("weight"), real.at("bias")),
                                  f = linear(xq, real.at("weight"), real.at("bias")),
                                  y = linear(xq, rounded.at("weight"), rounded.at("bias"));
        const Tensor out = dequantize(codes);
        const double step = static_cast<double>(grid.scale[0]), least = step * (grid.qmin - grid.zero_point[0]),
                     most = step * (grid.qmax - grid.zero_point[0]);
        for (size_t i = 0; i < t.size(); ++i, ++n) {
          const double cut = std::clamp(y[i], least - step / 2, most + step / 2);
          e.signal += f[i] * f[i], e.inherited += std::pow(f[i] - t[i], 2), e.own += std::pow(y[i] - f[i], 2);
          e.clipping += std::pow(cut - y[i], 2), e.rounding += std::pow(static_cast<double>(out.data<float>()[i]) - cut, 2);
          e.low += y[i]<least - step / 2, e.high += y[i]> most + step / 2;
          e.mean[i % 4] += y[i] - f[i], e.magnitude[i % 4] = std::max(e.magnitude[i % 4], std::abs(y[i]));
        }
      }
      double bias = 0, worst = 0;
      for (const double sum : e.mean) bias += std::pow(sum / (n / 4), 2) / 4;
      for (const double sum : e.mean) worst = std::abs(sum) > std::abs(worst) ? sum : worst;
      const Symptoms s = sums.symptoms(1);
      double stored = 0;
      for (size_t c = 0; c < 4; ++c)
        stored += std::pow(static_cast<double>(int8["fc"].params.at("bias").data<float>()[c]) -
                               static_cast<double>(m["fc"].params.at("bias").data<float>()[c]),
                           2) /
                  4;
      CHECK(s.stored_bias == Approx(stored).epsilon(1e-6));
      CHECK(stored > 1e-5);
      CHECK((s.has_weights && s.per_tensor_weights == (weight_axis < 0)));
      REQUIRE(s.weight_ranges.size() == 4);
      for (size_t c = 0; c < 4; ++c) {
        double largest = 0;
        for (size_t i = 0; i < 6; ++i)
          largest = std::max(largest, std::abs(static_cast<double>(m["fc"].params.at("weight").data<float>()[c * 6 + i])));
        CHECK(s.weight_ranges[c] == Approx(largest).epsilon(1e-6));
      }
      CHECK(s.grid);
      CHECK(s.grid_low == Approx(static_cast<double>(grid.scale[0]) * (grid.qmin - grid.zero_point[0])));
      CHECK(s.grid_high == Approx(static_cast<double>(grid.scale[0]) * (grid.qmax - grid.zero_point[0])));
      CHECK(s.signal == Approx(e.signal / n).epsilon(1e-4));
      CHECK(s.split.inherited == Approx(e.inherited / n).epsilon(1e-3));
      CHECK(s.split.bias == Approx(bias).epsilon(1e-3));
      CHECK(s.split.weight == Approx(e.own / n - bias).epsilon(1e-2));
      CHECK(s.split.rounding == Approx(e.rounding / n).epsilon(1e-3));
      CHECK(s.split.clipping == Approx(e.clipping / n).epsilon(1e-3));
      CHECK(s.clipped_low == Approx(e.low / n).margin(2 / n));
      CHECK(s.clipped_high == Approx(e.high / n).margin(2 / n));
      CHECK(e.low > 3);
      CHECK(e.high > 3);
      CHECK(s.worst_bias == Approx(worst / (n / 4)).epsilon(1e-3));
      REQUIRE(s.output_ranges.size() == 4);
      for (size_t c = 0; c < 4; ++c) CHECK(s.output_ranges[c] == Approx(e.magnitude[c]).epsilon(1e-5));
      CHECK(std::ranges::max_element(s.output_ranges) - s.output_ranges.begin() == 1);
    }
}

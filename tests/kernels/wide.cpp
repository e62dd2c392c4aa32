// SPDX-License-Identifier: Apache-2.0
// Kernels of 16-bit codes on the reference and the native engine against formulas written down once more in 128-bit integers, from
// the definition (TensorFlow Lite's), in both fixed roundings: layers with weights, sums and products.
#include <cstdio>
#include <cstring>

#include "kernels/kernel.h"
#include "kernels/multiplier.h"
#include "tests/kernels/cases.h"
#include "tests/kernels/oracle.h"
#include "tests/kernels/wide_cases.h"

namespace octet::testing {
namespace {

using namespace kernels;
using oracle::int128;

/// R16 of TensorFlow Lite: the multiplier's upper 16 bits and one rounding, ties upward.
int128 r16(int128 x, int64_t multiplier, int shift) {
  const int128 upper = multiplier >= 0x7fff0000 ? 32767 : oracle::floor_divide(multiplier + 32768, 65536);
  return oracle::saturate32(oracle::divide(x * upper, int128{1} << (15 - shift), oracle::Ties::up));
}

struct Layer {
  std::vector<int8_t> weight;
  std::vector<int64_t> bias;
  Blobs blobs;
};

/// Weights and biases of a layer; some biases need more than 32 bits.
Layer layer(Rng& rng, int32_t channels, int32_t row, bool extreme) {
  Layer l;
  for (int32_t i = 0; i < channels * row; ++i) l.weight.push_back(static_cast<int8_t>(extreme ? -128 : uniform(rng, -128, 127)));
  for (int32_t c = 0; c < channels; ++c) {
    int64_t bias = uniform(rng, -2'000'000, 2'000'000);
    if (c % 3 == 1) bias *= 30'000'000;  // 46 bits
    l.bias.push_back(bias);
    l.blobs.bias_codes.push_back(static_cast<int32_t>(static_cast<uint32_t>(bias)));
    l.blobs.bias_codes.push_back(static_cast<int32_t>(bias >> 32));
    FixedMultiplier m = quantize_multiplier(std::exp2(static_cast<double>(uniform_real(rng, -22, c % 3 == 1 ? -20 : -3))));
    if (c % 5 == 4) m.multiplier = 0x7fffffff - uniform(rng, 0, 70000);  // whose upper half would round to 2^15
    l.blobs.multiplier.push_back(m.multiplier), l.blobs.shift.push_back(m.shift);
  }
  l.blobs.weight = Weights(l.weight);
  return l;
}

OutputArgs limits(Rng& rng) { return {1, 0, uniform(rng, 0, 2) == 0 ? 0 : -32768, uniform(rng, 0, 2) == 0 ? 20000 : 32767}; }

void check_conv(Rng& rng, const Conv2dArgs& shape, bool extreme) {
  const int32_t group_in = shape.in_c / shape.groups, group_out = shape.out_c / shape.groups;
  const int32_t row = shape.kernel_h * shape.kernel_w * group_in;
  const Layer l = layer(rng, shape.out_c, row, extreme);
  const std::vector<int16_t> x = wide_codes(rng, shape.batch * shape.in_h * shape.in_w * shape.in_c, extreme);
  for (const Rounding rounding : kFixedRoundings) {
    Conv2dArgs a = shape;
    a.rounding = rounding, a.input_type = a.output_type = CodeType::i16, a.output = limits(rng);
    std::vector<int16_t> expected;
    for (int32_t n = 0; n < a.batch; ++n)
      for (int32_t oy = 0; oy < a.out_h; ++oy)
        for (int32_t ox = 0; ox < a.out_w; ++ox)
          for (int32_t o = 0; o < a.out_c; ++o) {
            int128 sum = l.bias[static_cast<size_t>(o)];
            for (int32_t ky = 0; ky < a.kernel_h; ++ky)
              for (int32_t kx = 0; kx < a.kernel_w; ++kx) {
                const int32_t y = oy * a.stride_h - a.pad_top + ky * a.dilation_h,
                              z = ox * a.stride_w - a.pad_left + kx * a.dilation_w;
                if (y < 0 || z < 0 || y >= a.in_h || z >= a.in_w) continue;
                for (int32_t i = 0; i < group_in; ++i)
                  sum += int64_t{x[static_cast<size_t>(((n * a.in_h + y) * a.in_w + z) * a.in_c + o / group_out * group_in + i)]} *
                         l.weight[static_cast<size_t>(o * row + (ky * a.kernel_w + kx) * group_in + i)];
              }
            const size_t c = static_cast<size_t>(o);
            expected.push_back(static_cast<int16_t>(oracle::clamp(r16(sum, l.blobs.multiplier[c], l.blobs.shift[c]), a.output)));
          }
    check_wide(a, l.blobs, {x.data()}, expected);
  }
}

TEST_CASE("convolutions of 16-bit codes equal 128-bit sums: dense, grouped, depthwise, dilated, long and extreme ones") {
  Rng rng(16);
  Conv2dArgs a{};
  a.kernel_h = a.kernel_w = a.stride_h = a.stride_w = a.dilation_h = a.dilation_w = a.groups = 1;
  for (int k = 0; k < 40; ++k) {
    Conv2dArgs c = a;
    c.batch = uniform(rng, 1, 2), c.in_h = uniform(rng, 1, 9), c.in_w = uniform(rng, 1, 9);
    c.kernel_h = uniform(rng, 1, 4), c.kernel_w = uniform(rng, 1, 4), c.stride_h = uniform(rng, 1, 2),
    c.stride_w = uniform(rng, 1, 3);
    c.dilation_h = uniform(rng, 1, 2), c.dilation_w = uniform(rng, 1, 2), c.pad_top = uniform(rng, 0, 3),
    c.pad_left = uniform(rng, 0, 3);
    c.out_h = uniform(rng, 1, 5), c.out_w = uniform(rng, 1, 5);
    const int32_t in = uniform(rng, 1, 6), out = uniform(rng, 1, 70 / (1 + k % 3));
    c.groups = k % 3 == 0 ? 1 : uniform(rng, 1, 5);
    c.in_c = c.groups * (k % 3 == 2 ? 1 : in), c.out_c = c.groups * (k % 3 == 2 ? 1 : out);
    if (k % 5 == 0) c.in_c *= 50;  // several runs of products
    check_conv(rng, c, k % 4 == 0);
  }
  a.batch = 1, a.in_h = a.in_w = 17, a.in_c = a.out_c = a.groups = 3, a.out_h = a.out_w = 2, a.kernel_h = a.kernel_w = 17;
  check_conv(rng, a, true);  // a depthwise window of 289 taps
}

TEST_CASE("linear layers of 16-bit codes equal 128-bit sums, with biases of 46 bits") {
  Rng rng(17);
  for (int k = 0; k < 24; ++k) {
    LinearArgs a{};
    a.rows = uniform(rng, 1, 4), a.in = uniform(rng, 1, k < 12 ? 40 : 2000), a.out = uniform(rng, 1, 130);
    a.input_type = a.output_type = CodeType::i16;
    const Layer l = layer(rng, a.out, a.in, k % 4 == 0);
    const std::vector<int16_t> x = wide_codes(rng, a.rows * a.in, k % 4 == 0);
    for (const Rounding rounding : kFixedRoundings) {
      a.rounding = rounding, a.output = limits(rng);
      std::vector<int16_t> expected;
      for (int32_t r = 0; r < a.rows; ++r)
        for (int32_t o = 0; o < a.out; ++o) {
          const size_t c = static_cast<size_t>(o);
          int128 sum = l.bias[c];
          for (int32_t i = 0; i < a.in; ++i)
            sum += int64_t{x[static_cast<size_t>(r * a.in + i)]} * l.weight[static_cast<size_t>(o * a.in + i)];
          expected.push_back(static_cast<int16_t>(oracle::clamp(r16(sum, l.blobs.multiplier[c], l.blobs.shift[c]), a.output)));
        }
      check_wide(a, l.blobs, {x.data()}, expected);
    }
  }
}

TEST_CASE("matrix products of 16-bit codes equal 128-bit sums") {
  Rng rng(18);
  for (int k = 0; k < 20; ++k) {
    MatMulArgs g{};
    g.rank = 1, g.batch[0] = uniform(rng, 1, 3), g.m = uniform(rng, 1, 7), g.n = uniform(rng, 1, 9), g.k = uniform(rng, 1, 300);
    const bool turned = k % 2 != 0;
    g.a_batch[0] = g.m * g.k, g.b_batch[0] = k % 3 == 0 ? 0 : g.n * g.k;
    g.a_row = g.k, g.a_step = 1, g.b_column = turned ? g.k : 1, g.b_step = turned ? 1 : g.n;
    g.a_type = g.b_type = g.output_type = CodeType::i16;
    const FixedMultiplier m = quantize_multiplier(std::exp2(static_cast<double>(uniform_real(rng, -25, -10))));
    g.multiplier = m.multiplier, g.shift = m.shift;
    const auto a = wide_codes(rng, g.batch[0] * g.m * g.k, k % 4 == 0), b = wide_codes(rng, g.batch[0] * g.n * g.k, k % 4 == 0);
    for (const Rounding rounding : kFixedRoundings) {
      g.rounding = rounding, g.output = limits(rng);
      std::vector<int16_t> expected;
      for (int32_t i = 0; i < g.batch[0]; ++i)
        for (int32_t r = 0; r < g.m; ++r)
          for (int32_t c = 0; c < g.n; ++c) {
            int128 sum = 0;
            for (int32_t t = 0; t < g.k; ++t)
              sum += int64_t{a[static_cast<size_t>(i * g.a_batch[0] + r * g.k + t)]} *
                     b[static_cast<size_t>(i * g.b_batch[0] + c * g.b_column + t * g.b_step)];
            expected.push_back(static_cast<int16_t>(oracle::clamp(r16(sum, g.multiplier, g.shift), g.output)));
          }
      check_wide(g, {}, {a.data(), b.data()}, expected);
    }
  }
}

TEST_CASE("sums, differences and products of 16-bit codes equal exact division") {
  Rng rng(19);
  size_t compared = 0;
  for (int k = 0; k < 60; ++k) {
    const auto kind = static_cast<BinaryKind>(k % 5);
    const double sa = std::exp2(static_cast<double>(uniform_real(rng, -18, -8))),
                 sb = std::exp2(static_cast<double>(uniform_real(rng, -18, -8))),
                 so = (sa + sb) * static_cast<double>(uniform_real(rng, 0.2F, 2));
    const double twice = 2 * std::max(sa, sb);
    const FixedMultiplier ma = quantize_multiplier(sa / twice), mb = quantize_multiplier(sb / twice),
                          mo = quantize_multiplier(kind == BinaryKind::mul ? sa * sb / so : twice / (32768.0 * so));
    const bool broadcast = k % 3 == 0;
    const int32_t rows = uniform(rng, 1, 9), columns = uniform(rng, 1, 700);
    const auto a = wide_codes(rng, rows * columns, k % 4 == 0), b = wide_codes(rng, rows * columns, k % 7 == 0);
    for (const Rounding rounding : kFixedRoundings) {
      BinaryArgs g{};
      g.rank = 2, g.output_shape[0] = rows, g.output_shape[1] = columns;
      g.a_stride[0] = columns, g.a_stride[1] = 1, g.b_stride[0] = broadcast ? 0 : columns, g.b_stride[1] = 1;
      g.kind = kind, g.rounding = rounding, g.a_type = g.b_type = g.output_type = CodeType::i16, g.output = limits(rng);
      g.a_multiplier = ma.multiplier, g.a_shift = ma.shift, g.b_multiplier = mb.multiplier, g.b_shift = mb.shift;
      g.output_multiplier = mo.multiplier, g.output_shift = mo.shift;
      std::vector<int16_t> expected;
      for (int32_t i = 0; i < rows * columns; ++i) {
        const int64_t p = a[static_cast<size_t>(i)], q = b[static_cast<size_t>(broadcast ? i % columns : i)];
        const auto r = [&](int128 x, FixedMultiplier m) {
          return oracle::multiply_fixed(rounding, static_cast<int64_t>(x), m.multiplier, m.shift);
        };
        int128 v = std::min(p, q);
        if (kind == BinaryKind::maximum) v = std::max(p, q);
        if (kind == BinaryKind::mul) v = r(p * q, mo);
        if (kind == BinaryKind::add || kind == BinaryKind::sub)
          v = r(r(p * 32768, ma) + (kind == BinaryKind::sub ? -r(q * 32768, mb) : r(q * 32768, mb)), mo);
        expected.push_back(static_cast<int16_t>(oracle::clamp(v, g.output)));
      }
      check_wide(g, {}, {a.data(), b.data()}, expected);
      compared += expected.size();
      if (kind != BinaryKind::add || broadcast) continue;
      AddArgs plain{};
      plain.count = rows * columns, plain.rounding = rounding, plain.a_type = plain.b_type = plain.output_type = CodeType::i16;
      plain.a_multiplier = ma.multiplier, plain.a_shift = ma.shift, plain.b_multiplier = mb.multiplier, plain.b_shift = mb.shift;
      plain.output_multiplier = mo.multiplier, plain.output_shift = mo.shift, plain.output = g.output;
      check_wide(plain, {}, {a.data(), b.data()}, expected);
    }
  }
  std::printf("binary, 16 bits: %zu codes compared, 0 mismatches\n", compared);
}

TEST_CASE("16-bit codes in a rounding that has none are declined by every engine") {
  ClampArgs clamp{};
  clamp.count = 1, clamp.type = CodeType::i16;
  CHECK(make(clamp, nullptr, QEngine::reference).kernel != nullptr);
  for (const QEngine engine : {QEngine::reference, QEngine::native, QEngine::automatic})
    for (const Rounding rounding : {Rounding::real, Rounding::int_bias}) {
      LinearArgs a{};
      a.rows = a.in = a.out = 1, a.input_type = a.output_type = CodeType::i16, a.rounding = rounding;
      const Made made = make(a, std::make_shared<const Blobs>(), engine);
      CHECK(made.kernel == nullptr);
      CHECK(made.why_not.find("16-bit codes in rounding " + std::string(to_string(rounding))) != std::string::npos);
    }
}

}  // namespace
}  // namespace octet::testing

// SPDX-License-Identifier: Apache-2.0
// Every kernel family without products on the native engine: sizes around the block sizes, types, roundings, fills, zero points at
// both ends, in place where that is allowed.
#include <cmath>
#include <cstring>
#include <limits>

#include "kernels/multiplier.h"
#include "tests/kernels/weighted.h"
#include "tests/native/support.h"

namespace octet::testing {
namespace {

using namespace kernels;

constexpr int32_t kCounts[] = {0, 1, 7, 31, 63, 64, 65, 200, 1000, 40'000};

int32_t zero_point(Rng& rng, CodeType type) {
  const int32_t lo = testing::lowest(type), hi = testing::highest(type), some[] = {lo, hi, (lo + hi) / 2, lo + 3};
  return some[uniform(rng, 0, 3)];
}

std::vector<uint8_t> codes_of(Rng& rng, Fill fill, int32_t n, CodeType type, int32_t centre) {
  return codes(rng, fill, static_cast<size_t>(n), testing::lowest(type), testing::highest(type), centre);
}

/// body(rng, fill, first type, second type, rounding) for all of them, each with a seed of its own.
template <class Body>
void for_all(const char* what, const Body& body) {
  uint32_t seed = 0;
  for (const Rounding rounding : kRoundings)
    for (const CodeType from : kTypes)
      for (const CodeType to : kTypes)
        for (const Fill fill : kFills) {
          Rng rng(++seed);
          INFO("reproduce: test_native, " << what << ": " << name(rounding) << ", " << name(from) << " to " << name(to) << ", "
                                          << name(fill) << ", seed " << seed);
          body(rng, fill, from, to, rounding);
        }
}

TEST_CASE("native addition gives the reference's bytes, in place too") {
  Tally tally;
  for_all("add", [&](Rng& rng, Fill fill, CodeType from, CodeType to, Rounding rounding) {
    for (const int32_t n : kCounts) {
      AddArgs a{};
      a.count = n, a.a_type = from, a.b_type = uniform(rng, 0, 1) == 0 ? from : to, a.output_type = to, a.rounding = rounding;
      a.a_zero_point = zero_point(rng, a.a_type), a.b_zero_point = zero_point(rng, a.b_type);
      a.output = output_args(rng, fill, to);
      const bool ties = fill == Fill::ties;
      a.a_scale = ties ? 0.5f : uniform_real(rng, 0.01f, 1), a.b_scale = ties ? 0.25f : uniform_real(rng, 0.01f, 1);
      a.offset = rounding == Rounding::int_bias ? uniform_real(rng, -100, 100) : 0;
      const FixedMultiplier ma = quantize_multiplier(0.4), mb = quantize_multiplier(0.5), mo = quantize_multiplier(1.0 / (1 << 18));
      a.a_multiplier = ma.multiplier, a.a_shift = ma.shift, a.b_multiplier = mb.multiplier, a.b_shift = mb.shift;
      a.output_multiplier = mo.multiplier, a.output_shift = mo.shift;
      const auto x = codes_of(rng, fill, n, a.a_type, a.a_zero_point), y = codes_of(rng, fill, n, a.b_type, a.b_zero_point);
      const void* inputs[] = {x.data(), y.data()};
      const size_t sizes[] = {x.size(), y.size()};
      INFO(n << " codes");
      compare(a, nullptr, inputs, sizes, tally);
    }
  });
  tally.print("add");
}

TEST_CASE("native requantization gives the reference's bytes for rows with and without gaps") {
  Tally tally;
  for_all("requantize", [&](Rng& rng, Fill fill, CodeType from, CodeType to, Rounding rounding) {
    for (const int32_t row : {1, 8, 63, 64, 100}) {
      RequantizeArgs a{};
      a.rows = uniform(rng, 1, 9), a.row = row, a.output_stride = row + uniform(rng, 0, 1) * 17;
      a.input_type = from, a.output_type = to, a.rounding = rounding, a.copy = from == to && uniform(rng, 0, 3) == 0;
      a.input_zero_point = zero_point(rng, from), a.input_scale = fill == Fill::ties ? 0.5f : uniform_real(rng, 0.01f, 1);
      a.output = output_args(rng, fill, to);
      const FixedMultiplier m = quantize_multiplier(a.input_scale * a.output.inv_scale);
      a.multiplier = m.multiplier, a.shift = m.shift;
      const auto x = codes_of(rng, fill, a.rows * row, from, a.input_zero_point);
      const void* inputs[] = {x.data()};
      const size_t sizes[] = {x.size()};
      compare(a, nullptr, inputs, sizes, tally);
    }
  });
  tally.print("requantize");
}

TEST_CASE("native pools give the reference's bytes for every window and channel count") {
  struct Shape {
    int32_t batch, h, w, kernel_h, kernel_w, stride, pad;
    PoolKind kind;
    int32_t out;  // adaptive
  };
  constexpr Shape kShapes[] = {{2, 8, 6, 2, 2, 2, 0, PoolKind::max, 0},
                               {1, 9, 7, 3, 3, 2, 1, PoolKind::max, 0},
                               {1, 5, 5, 2, 3, 1, 0, PoolKind::average, 0},
                               {1, 9, 7, 3, 3, 2, 1, PoolKind::average, 0},
                               {1, 7, 7, 0, 0, 0, 0, PoolKind::adaptive_average, 1},
                               {2, 25, 5, 0, 0, 0, 0, PoolKind::adaptive_average, 1},
                               {1, 7, 9, 0, 0, 0, 0, PoolKind::adaptive_average, 3}};
  Tally tally;
  for_all("pool2d", [&](Rng& rng, Fill fill, CodeType type, CodeType, Rounding rounding) {
    for (const Shape& s : kShapes)
      for (const int32_t channels : {1, 3, 8, 17, 40, 64, 133}) {
        Pool2dArgs a{};
        a.batch = s.batch, a.in_h = s.h, a.in_w = s.w, a.channels = channels, a.kind = s.kind, a.type = type, a.rounding = rounding;
        const bool adaptive = s.kind == PoolKind::adaptive_average;
        a.out_h = adaptive ? s.out : (s.h + 2 * s.pad - s.kernel_h) / s.stride + 1;
        a.out_w = adaptive ? s.out : (s.w + 2 * s.pad - s.kernel_w) / s.stride + 1;
        a.kernel_h = s.kernel_h, a.kernel_w = s.kernel_w, a.stride_h = a.stride_w = s.stride;
        a.pad_top = a.pad_left = a.pad_bottom = a.pad_right = s.pad;
        a.count_include_pad = static_cast<uint8_t>(uniform(rng, 0, 1));
        a.zero_point = zero_point(rng, type), a.clamp_min = testing::lowest(type), a.clamp_max = testing::highest(type);
        if (uniform(rng, 0, 3) == 0) a.clamp_min += 20, a.clamp_max -= 50;
        a.input_scale = 0.37f, a.output_scale = 0.41f;
        const auto x = codes_of(rng, fill, a.batch * a.in_h * a.in_w * channels, type, a.zero_point);
        const void* inputs[] = {x.data()};
        const size_t sizes[] = {x.size()};
        INFO("pool " << s.h << "x" << s.w << "x" << channels << " window " << s.kernel_h << "x" << s.kernel_w << "/" << s.stride);
        compare(a, nullptr, inputs, sizes, tally);
      }
  });
  tally.print("pool2d");
}

TEST_CASE("native clamp gives the reference's bytes, in place too") {
  Tally tally;
  for (const CodeType type : kTypes)
    for (const Fill fill : kFills)
      for (const int32_t n : kCounts) {
        Rng rng(static_cast<uint32_t>(n) + static_cast<uint32_t>(fill));
        const int32_t lo = testing::lowest(type), hi = testing::highest(type), low = uniform(rng, lo, hi);
        const ClampArgs a{n, low, uniform(rng, low, hi), type, {}};
        const auto x = codes_of(rng, fill, n, type, low);
        const void* inputs[] = {x.data()};
        const size_t sizes[] = {x.size()};
        INFO("reproduce: test_native, clamp " << n << " " << name(type) << " " << name(fill));
        compare(a, nullptr, inputs, sizes, tally);
      }
  tally.print("clamp");
}

TEST_CASE("native functions of two tensors give the reference's bytes for every way of broadcasting") {
  struct Shape {
    int32_t rank, output[3], a[3], b[3];
  };
  constexpr Shape kShapes[] = {{1, {1000}, {1}, {1}},
                               {1, {65}, {1}, {0}},
                               {1, {63}, {0}, {1}},
                               {2, {7, 16}, {16, 1}, {0, 1}},               // a row for all
                               {2, {9, 130}, {130, 1}, {1, 0}},             // a number for each row
                               {3, {2, 5, 40}, {200, 40, 1}, {40, 0, 1}}};  // gates of channels
  Tally tally;
  for_all("binary", [&](Rng& rng, Fill fill, CodeType from, CodeType to, Rounding rounding) {
    for (const Shape& s : kShapes)
      for (const BinaryKind kind : {BinaryKind::add, BinaryKind::sub, BinaryKind::mul, BinaryKind::minimum, BinaryKind::maximum}) {
        const bool selects = kind == BinaryKind::minimum || kind == BinaryKind::maximum;
        BinaryArgs a{};
        a.rank = s.rank, a.kind = kind, a.rounding = rounding;
        int32_t last_a = 0, last_b = 0;
        for (int32_t axis = 0; axis < s.rank; ++axis) {
          a.output_shape[axis] = s.output[axis], a.a_stride[axis] = s.a[axis], a.b_stride[axis] = s.b[axis];
          last_a += (s.output[axis] - 1) * s.a[axis], last_b += (s.output[axis] - 1) * s.b[axis];
        }
        a.a_type = selects ? to : from, a.b_type = selects || uniform(rng, 0, 1) == 0 ? to : from, a.output_type = to;
        a.output = output_args(rng, fill, to);
        a.a_zero_point = zero_point(rng, a.a_type), a.b_zero_point = selects ? a.a_zero_point : zero_point(rng, a.b_type);
        if (selects) a.output.zero_point = a.a_zero_point;
        const bool ties = fill == Fill::ties;
        a.a_scale = ties ? 0.5f : uniform_real(rng, 0.001f, 1), a.b_scale = ties ? 0.25f : uniform_real(rng, 0.01f, 1);
        a.offset = rounding == Rounding::int_bias ? uniform_real(rng, -100, 100) : 0;
        const FixedMultiplier ma = quantize_multiplier(0.4), mb = quantize_multiplier(0.5),
                              mo = quantize_multiplier(kind == BinaryKind::mul ? 0.01 : 1.0 / (1 << 18));
        a.a_multiplier = ma.multiplier, a.a_shift = ma.shift, a.b_multiplier = mb.multiplier, a.b_shift = mb.shift;
        a.output_multiplier = mo.multiplier, a.output_shift = mo.shift;
        const auto x = codes_of(rng, fill, last_a + 1, a.a_type, a.a_zero_point),
                   y = codes_of(rng, fill, last_b + 1, a.b_type, a.b_zero_point);
        const void* inputs[] = {x.data(), y.data()};
        const size_t sizes[] = {x.size(), y.size()};
        INFO("kind " << static_cast<int>(kind) << ", shape " << &s - kShapes);
        compare(a, nullptr, inputs, sizes, tally);
      }
  });
  tally.print("binary");
}

TEST_CASE("native lookups give the reference's bytes for every code, in place too") {
  Tally tally;
  for_all("lookup", [&](Rng& rng, Fill, CodeType from, CodeType to, Rounding) {
    for (const int32_t n : kCounts)
      for (const int32_t channels : {1, 5}) {
        LookupArgs a{};
        a.count = n / channels * channels, a.channels = channels, a.input_type = from, a.output_type = to;
        Blobs blobs;
        std::vector<int8_t> table;
        for (int32_t i = 0; i < 256 * channels; ++i) table.push_back(static_cast<int8_t>(uniform(rng, -128, 127)));
        blobs.weight = Weights(std::move(table));
        std::vector<uint8_t> x;
        for (int32_t i = 0; i < a.count; ++i) x.push_back(static_cast<uint8_t>(i < 256 ? i : uniform(rng, 0, 255)));
        const void* inputs[] = {x.data()};
        const size_t sizes[] = {x.size()};
        INFO(n << " codes, " << channels << " tables");
        compare(a, std::make_shared<const Blobs>(std::move(blobs)), inputs, sizes, tally);
      }
  });
  tally.print("lookup");
}

TEST_CASE("native quantize and dequantize give the reference's bytes for every kind of float") {
  Tally tally;
  for_all("quantize", [&](Rng& rng, Fill fill, CodeType, CodeType to, Rounding rounding) {
    for (const int32_t n : kCounts) {
      QuantizeArgs q{};
      q.count = n, q.output_type = to, q.rounding = rounding, q.output = output_args(rng, fill, to);
      std::vector<float> x(static_cast<size_t>(n));
      constexpr float kInf = std::numeric_limits<float>::infinity();
      const float special[] = {kInf, -kInf, std::numeric_limits<float>::quiet_NaN(), 3e38f, -3e38f, 1e-40f, -0.0f, 0.5f};
      for (float& v : x) {
        v = uniform(rng, 0, 9) == 0 ? special[uniform(rng, 0, 7)] : uniform_real(rng, -100, 100);
        if (fill == Fill::ties) v = static_cast<float>(uniform(rng, -300, 300)) * 0.5f;
      }
      const void* inputs[] = {x.data()};
      const size_t sizes[] = {x.size() * sizeof(float)};
      compare(q, nullptr, inputs, sizes, tally);
      DequantizeArgs d{};
      d.count = n, d.input_type = to, d.zero_point = zero_point(rng, to), d.scale = uniform_real(rng, 0.01f, 1);
      const auto y = codes_of(rng, fill, n, to, 0);
      const void* coded[] = {y.data()};
      const size_t coded_sizes[] = {y.size()};
      compare(d, nullptr, coded, coded_sizes, tally);
    }
  });
  tally.print("quantize, dequantize");
}

TEST_CASE("native transposes give the reference's bytes for several ranks and element sizes") {
  Tally tally;
  for (const int32_t size : {1, 2, 4})
    for (const auto& shape : {std::vector<int32_t>{60}, {5, 12}, {3, 4, 5}, {2, 3, 2, 5}}) {
      Rng rng(static_cast<uint32_t>(size) * 10 + static_cast<uint32_t>(shape.size()));
      const auto rank = static_cast<int32_t>(shape.size());
      TransposeArgs a{};
      a.rank = rank, a.element_size = size;
      int32_t stride = 1;
      for (int32_t axis = 0; axis < rank; ++axis) {  // reversed axes: the first output axis is the input's last
        a.output_shape[axis] = shape[static_cast<size_t>(axis)];
        a.input_stride[axis] = stride;
        stride *= a.output_shape[axis];
      }
      const auto x = codes(rng, Fill::random, static_cast<size_t>(60 * size), 0, 255, 0);
      const void* inputs[] = {x.data()};
      const size_t sizes[] = {x.size()};
      INFO("reproduce: test_native, transpose rank " << rank << " of " << size << "-byte elements");
      compare(a, nullptr, inputs, sizes, tally);
    }
  tally.print("transpose");
}

}  // namespace
}  // namespace octet::testing

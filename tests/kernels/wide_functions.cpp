// SPDX-License-Identifier: Apache-2.0
// Kernels of 16-bit codes that have no weights: pools, reductions, requantization, limits, crossings to floats, and TensorFlow
// Lite's tables, on both engines against formulas written down once more.
#include <cmath>
#include <cstdio>
#include <functional>

#include "kernels/multiplier.h"
#include "tests/kernels/oracle.h"
#include "tests/kernels/wide_cases.h"

namespace octet::testing {
namespace {

using namespace kernels;
using oracle::int128;

template <class Args>
Args wide_args(Rounding rounding) {
  Args a{};
  a.rounding = rounding, a.input_type = a.output_type = CodeType::i16, a.output = {1, 0, -32768, 32767};
  return a;
}

constexpr int kOneHigher[] = {4,  8,  12, 14, 15, 16, 17, 19, 20, 21, 22, 25, 27, 28, 29, 30, 31,  33,  34,  35,  37,  39,
                              40, 41, 43, 44, 45, 46, 49, 50, 54, 62, 63, 64, 66, 82, 86, 93, 100, 103, 112, 116, 135, 255};

/// The sigmoid table: values of the formula, but for 44 entries that are one higher.
std::vector<int32_t> sigmoid_table() {
  std::vector<int32_t> t;
  for (int k = 0; k < 256; ++k) t.push_back(static_cast<int32_t>(std::floor(65536 / (1 + std::exp(-k / 24.0)) + 0.5)));
  for (const int k : kOneHigher) ++t[static_cast<size_t>(k)];
  return t;
}

TEST_CASE("logistic and tanh of every 16-bit code equal TensorFlow Lite's formula, whatever the input's scale") {
  const std::vector<int32_t> table = sigmoid_table();
  std::vector<int16_t> x;
  for (int32_t q = -32768; q <= 32767; ++q) x.push_back(static_cast<int16_t>(q));
  size_t compared = 0;
  for (const ActivationKind kind : {ActivationKind::logistic, ActivationKind::tanh})
    for (const auto& [multiplier, shift] : {std::pair{3, 0}, {6, 0}, {17000, 13}, {32767, 15}, {16384, 31}, {2000000000, 0}})
      for (const Rounding rounding : kFixedRoundings) {
        ActivationArgs a{};
        a.count = 65536, a.multiplier = multiplier, a.shift = shift, a.kind = kind, a.type = CodeType::i16, a.rounding = rounding;
        a.clamp_min = -32768, a.clamp_max = 32767;
        std::vector<int16_t> expected;
        for (const int16_t code : x) {
          const int128 v = oracle::divide(int128{code} * multiplier, int128{1} << shift, oracle::Ties::up);
          const int bits = kind == ActivationKind::tanh ? 8 : 9;
          const int128 u = oracle::magnitude(v), k = u >> bits;
          const auto at = [&](int128 i) { return table[static_cast<size_t>(i)]; };
          int128 r = k >= 255 ? int128{kind == ActivationKind::tanh ? 0xffff * 256 : 0x7fff * 1024}
                              : int128{at(k)} * (1 << bits) + (u - (k << bits)) * (at(k + 1) - at(k));
          if (kind == ActivationKind::logistic)
            r = oracle::floor_divide(v >= 0 ? r + 512 : (1 << 25) - r + 511, 1024);
          else
            r = oracle::floor_divide(v >= 0 ? r - (1 << 23) + 128 : -r + (1 << 23) + 127, 256);
          expected.push_back(static_cast<int16_t>(r < -32768 ? -32768 : r > 32767 ? 32767 : static_cast<int>(r)));
        }
        CHECK((shift == 31 || expected.front() != expected.back()));  // 31: all arguments are nearly nothing
        check_wide(a, {}, {x.data()}, expected);
        compared += expected.size();
      }
  std::printf("logistic and tanh, 16 bits: %zu codes compared, 0 mismatches\n", compared);
}

TEST_CASE("leaky_relu of every 16-bit code rescales each sign by a multiplier of its own") {
  std::vector<int16_t> x;
  for (int32_t q = -32768; q <= 32767; ++q) x.push_back(static_cast<int16_t>(q));
  for (const double above : {1.0, 0.3, 1.7})
    for (const double slope : {0.1, 2.5, -0.4})
      for (const Rounding rounding : kFixedRoundings) {
        const FixedMultiplier p = quantize_multiplier(above), n = quantize_multiplier(std::abs(slope));
        ActivationArgs a{};
        a.count = 65536, a.multiplier = p.multiplier, a.shift = p.shift, a.negative_multiplier = n.multiplier,
        a.negative_shift = n.shift;
        a.kind = ActivationKind::leaky_relu, a.type = CodeType::i16, a.rounding = rounding, a.inverts = slope < 0;
        a.clamp_min = -32768, a.clamp_max = 32767;
        std::vector<int16_t> expected;
        for (const int16_t code : x) {
          int128 v = oracle::multiply_fixed(rounding, code, code < 0 ? n.multiplier : p.multiplier, code < 0 ? n.shift : p.shift);
          if (code < 0 && slope < 0) v = -v;
          expected.push_back(static_cast<int16_t>(oracle::clamp(v, {1, 0, -32768, 32767})));
        }
        check_wide(a, {}, {x.data()}, expected);
      }
}

TEST_CASE("requantization between 8 and 16 bits equals exact division in every combination of types") {
  Rng rng(21);
  size_t compared = 0;
  for (const CodeType in : {CodeType::u8, CodeType::i8, CodeType::i16})
    for (const CodeType out : {CodeType::u8, CodeType::i8, CodeType::i16})
      for (int k = 0; k < 20; ++k)
        for (const Rounding rounding : kFixedRoundings) {
          if (in != CodeType::i16 && out != CodeType::i16) continue;
          RequantizeArgs a{};
          a.rows = 1, a.row = a.output_stride = in == CodeType::i16 ? 65536 : 256;
          a.input_type = in, a.output_type = out, a.rounding = rounding;
          a.input_zero_point = in == CodeType::i16 ? 0 : lowest(in) + uniform(rng, 0, 255);
          const bool wide = out == CodeType::i16;
          a.output = {1, wide ? 0 : lowest(out) + uniform(rng, 0, 255), wide ? -32768 : lowest(out), wide ? 32767 : highest(out)};
          const FixedMultiplier m = quantize_multiplier(std::exp2(static_cast<double>(uniform_real(rng, -10, 9))));
          a.multiplier = m.multiplier, a.shift = m.shift;
          std::vector<int16_t> wides;
          std::vector<uint8_t> bytes, narrow;
          std::vector<int16_t> expected;
          for (int32_t i = 0; i < a.row; ++i) {
            const int32_t q = in == CodeType::i16 ? i - 32768 : i + lowest(in);
            wides.push_back(static_cast<int16_t>(q)), bytes.push_back(static_cast<uint8_t>(q));
            const int128 v = oracle::multiply_fixed(rounding, q - a.input_zero_point, m.multiplier, m.shift) + a.output.zero_point;
            expected.push_back(static_cast<int16_t>(oracle::clamp(v, a.output)));
            narrow.push_back(static_cast<uint8_t>(expected.back()));
          }
          const void* x = in == CodeType::i16 ? static_cast<const void*>(wides.data()) : bytes.data();
          if (wide)
            check_wide(a, {}, {x}, expected);
          else
            check_wide(a, {}, {x}, narrow);
          compared += expected.size();
        }
  std::printf("requantize, 16 bits: %zu codes compared, 0 mismatches\n", compared);
}

TEST_CASE("pools and reductions of 16-bit codes: sums exact up to 65,535 cells, halves away from zero") {
  Rng rng(22);
  for (int k = 0; k < 40; ++k)
    for (const Rounding rounding : kFixedRoundings) {
      Pool2dArgs a{};
      a.kind = static_cast<PoolKind>(k % 2), a.type = CodeType::i16, a.rounding = rounding;
      a.batch = 2, a.in_h = uniform(rng, 3, 9), a.in_w = uniform(rng, 3, 9), a.channels = uniform(rng, 1, 70);
      a.kernel_h = uniform(rng, 1, 3), a.kernel_w = uniform(rng, 1, 3), a.stride_h = uniform(rng, 1, 2), a.stride_w = 1;
      a.pad_top = a.pad_bottom = a.kernel_h > 1 ? 1 : 0, a.count_include_pad = k % 4 == 1;
      a.out_h = (a.in_h + 2 * a.pad_top - a.kernel_h) / a.stride_h + 1, a.out_w = a.in_w - a.kernel_w + 1;
      a.clamp_min = k % 5 == 0 ? 0 : -32768, a.clamp_max = 32767;
      const auto x = wide_codes(rng, a.batch * a.in_h * a.in_w * a.channels, k % 3 == 0);
      std::vector<int16_t> expected;
      for (int32_t n = 0; n < a.batch; ++n)
        for (int32_t oy = 0; oy < a.out_h; ++oy)
          for (int32_t ox = 0; ox < a.out_w; ++ox)
            for (int32_t c = 0; c < a.channels; ++c) {
              int128 sum = 0, most = -32768, cells = 0;
              for (int32_t ky = 0; ky < a.kernel_h; ++ky)
                for (int32_t kx = 0; kx < a.kernel_w; ++kx) {
                  const int32_t y = oy * a.stride_h - a.pad_top + ky;
                  cells += a.count_include_pad != 0 || (y >= 0 && y < a.in_h);
                  if (y < 0 || y >= a.in_h) continue;
                  const int16_t q = x[static_cast<size_t>(((n * a.in_h + y) * a.in_w + ox + kx) * a.channels + c)];
                  sum += q, most = q > most ? q : most;
                }
              const int128 v = a.kind == PoolKind::max ? most : oracle::divide(sum, cells, oracle::Ties::away);
              expected.push_back(static_cast<int16_t>(oracle::clamp(v, {1, 0, a.clamp_min, a.clamp_max})));
            }
      check_wide(a, {}, {x.data()}, expected);
    }
  // The largest window: nothing leaves 32 bits at either end.
  for (const int16_t end : {int16_t{-32768}, int16_t{32767}}) {
    Pool2dArgs a{};
    a.kind = PoolKind::average, a.type = CodeType::i16, a.rounding = Rounding::fixed_double;
    a.batch = a.channels = a.out_h = a.out_w = a.stride_h = a.stride_w = 1, a.in_h = a.kernel_h = 257, a.in_w = a.kernel_w = 255;
    a.clamp_min = -32768, a.clamp_max = 32767;
    check_wide(a, {}, {std::vector<int16_t>(65535, end).data()}, std::vector<int16_t>{end});
  }
  for (int k = 0; k < 40; ++k)
    for (const Rounding rounding : kFixedRoundings) {
      auto a = wide_args<ReduceArgs>(rounding);
      a.kind = static_cast<ReduceKind>(k % 4);
      const int32_t rows = uniform(rng, 1, 5), cells = uniform(rng, 1, 300), columns = uniform(rng, 1, 150);
      a.kept = 2, a.reduced = 1;
      a.shape[0] = rows, a.shape[1] = columns, a.shape[2] = cells;
      a.stride[0] = cells * columns, a.stride[1] = k % 8 < 4 ? 1 : cells, a.stride[2] = k % 8 < 4 ? columns : 1;
      const FixedMultiplier m = quantize_multiplier(std::exp2(static_cast<double>(uniform_real(rng, -9, 1))));
      a.multiplier = m.multiplier, a.shift = m.shift;
      const auto x = wide_codes(rng, rows * cells * columns, k % 3 == 0);
      std::vector<int16_t> expected;
      for (int32_t r = 0; r < rows; ++r)
        for (int32_t c = 0; c < columns; ++c) {
          int64_t sum = 0, most = -32768, least = 32767;
          for (int32_t i = 0; i < cells; ++i) {
            const int16_t q = x[static_cast<size_t>(r * a.stride[0] + c * a.stride[1] + i * a.stride[2])];
            sum += q, most = std::max<int64_t>(most, q), least = std::min<int64_t>(least, q);
          }
          const int128 v = a.kind == ReduceKind::max   ? most
                           : a.kind == ReduceKind::min ? least
                                                       : oracle::multiply_fixed(rounding, sum, m.multiplier, m.shift);
          expected.push_back(static_cast<int16_t>(oracle::clamp(v, a.output)));
        }
      check_wide(a, {}, {x.data()}, expected);
    }
}

TEST_CASE("floats become 16-bit codes by one division and back by another; limits are of codes") {
  Rng rng(23);
  std::vector<float> reals{0, -0.0F, NAN, INFINITY, -INFINITY, 1e30F, 0.5F, 1.5F, -2.5F, 32767.5F, -32768.5F, 1e-30F};
  for (int i = 0; i < 3000; ++i) reals.push_back(uniform_real(rng, -40000, 40000));
  QuantizeArgs q{};
  q.count = static_cast<int32_t>(reals.size()), q.output_type = CodeType::i16, q.rounding = Rounding::fixed_double;
  for (const float scale : {1.0F, 2.7F, 0.00125F}) {
    q.output = {scale, 0, -32768, 32767};
    std::vector<int16_t> expected;
    for (const float v : reals) expected.push_back(static_cast<int16_t>(oracle::quantize(Rounding::fixed_double, v, q.output)));
    check_wide(q, {}, {reals.data()}, expected);
  }
  const auto codes = wide_codes(rng, 4000, false);
  DequantizeArgs d{};
  d.count = 4000, d.scale = 0.0123F, d.input_type = CodeType::i16;
  std::vector<float> expected;
  for (const int16_t code : codes) expected.push_back(oracle::mul(d.scale, oracle::f32(code)));
  check_wide(d, {}, {codes.data()}, expected);
  ClampArgs c{};
  c.count = 4000, c.clamp_min = -100, c.clamp_max = 20000, c.type = CodeType::i16;
  std::vector<int16_t> limited;
  for (const int16_t code : codes) limited.push_back(static_cast<int16_t>(std::clamp<int32_t>(code, -100, 20000)));
  check_wide(c, {}, {codes.data()}, limited);
}

/// 513 values of a function over an interval, in units.
std::vector<int16_t> table_of(double from, double to, double unit, const std::function<double(double)>& f) {
  std::vector<int16_t> table;
  for (int i = 0; i <= 512; ++i)
    table.push_back(static_cast<int16_t>(std::clamp(std::round(f(from + (to - from) * i / 512) / unit), -32768.0, 32767.0)));
  return table;
}

Blobs blobs_of(const std::vector<int16_t>& entries, const std::vector<int32_t>& words = {}) {
  std::vector<int8_t> bytes(entries.size() * 2 + words.size() * 4);
  std::memcpy(bytes.data(), entries.data(), entries.size() * 2);
  if (!words.empty()) std::memcpy(bytes.data() + entries.size() * 2, words.data(), words.size() * 4);
  Blobs blobs;
  blobs.weight = Weights(std::move(bytes));
  return blobs;
}

/// Between two entries, ties upward.
int128 between(const std::vector<int16_t>& table, size_t first, int32_t code) {
  const int128 at = oracle::floor_divide(code + 32768, 128), part = code + 32768 - at * 128;
  const size_t i = first + static_cast<size_t>(at);
  return table[i] + oracle::divide((int128{table[i + 1]} - table[i]) * part, 128, oracle::Ties::up);
}

TEST_CASE("functions between the entries of a table of 513, and softmax from two of them") {
  Rng rng(24);
  std::vector<int16_t> x;
  for (int32_t q = -32768; q <= 32767; ++q) x.push_back(static_cast<int16_t>(q));
  std::vector<int16_t> tables;
  for (int c = 0; c < 2; ++c) {
    const auto one = table_of(-8, 8, 1.0 / 8192, [&](double v) { return c == 0 ? std::sin(v) : v * v / 20 - 1; });
    tables.insert(tables.end(), one.begin(), one.end());
  }
  REQUIRE(tables.size() == 1026);
  LookupArgs a{};
  a.count = 65536, a.channels = 2, a.input_type = a.output_type = CodeType::i16;
  std::vector<int16_t> expected;
  double worst = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    expected.push_back(static_cast<int16_t>(between(tables, i % 2 * 513, x[i])));
    const double v = x[i] / 4096.0, real = i % 2 == 0 ? std::sin(v) : v * v / 20 - 1;
    worst = std::max(worst, std::abs(expected.back() / 8192.0 - real));
  }
  CHECK(worst < 2.5 / 8192);  // the tables are of these functions
  check_wide(a, blobs_of(tables), {x.data()}, expected);

  std::vector<int16_t> entries = table_of(-10, 0, 0x1p-15, [](double v) { return std::exp(v); });
  const auto reciprocals = table_of(0, 1, 0x1p-15, [](double v) { return 1 / (1 + v); });
  CHECK(entries[511] > 31000);
  CHECK(reciprocals[0] == 32767);
  CHECK(reciprocals[512] == 16384);
  entries.insert(entries.end(), reciprocals.begin(), reciprocals.end());
  for (int k = 0; k < 30; ++k)
    for (const Rounding rounding : kFixedRoundings) {
      auto s = wide_args<SoftmaxArgs>(rounding);
      s.rows = uniform(rng, 1, 5), s.n = uniform(rng, 1, k % 5 == 0 ? 3000 : 40);
      const double scale = std::exp2(static_cast<double>(uniform_real(rng, -16, -8)));
      const FixedMultiplier m = quantize_multiplier(scale / (10.0 / 65535.0));
      const auto codes = wide_codes(rng, s.rows * s.n, k % 4 == 0);
      std::vector<int16_t> shares;
      double wrong = 0;
      for (int32_t r = 0; r < s.rows; ++r) {
        const int16_t* row = codes.data() + r * s.n;
        const int16_t most = *std::max_element(row, row + s.n);
        std::vector<int128> e;
        int128 sum = 0;
        double total = 0;
        for (int32_t i = 0; i < s.n; ++i) {
          const int128 d = oracle::multiply_fixed(rounding, row[i] - most, m.multiplier, m.shift) + 32767;
          e.push_back(between(entries, 0, static_cast<int32_t>(oracle::clamp(d, {1, 0, -32768, 32767}))));
          sum += e.back();
          total += std::exp((row[i] - most) * scale);
        }
        int bits = 0;
        while (sum >> (bits + 1) != 0) ++bits;  // 2^bits <= sum
        const int128 normal = oracle::divide(sum << (30 - bits), 1 << 14, oracle::Ties::up);
        const int128 inverse =
            between(entries, 513, static_cast<int32_t>(oracle::clamp(normal - 65536 - 32768, {1, 0, -32768, 32767})));
        for (int32_t i = 0; i < s.n; ++i) {
          const int128 share = oracle::divide(e[static_cast<size_t>(i)] * inverse, int128{1} << bits, oracle::Ties::up);
          shares.push_back(static_cast<int16_t>(oracle::clamp(share, {1, 0, 0, 32767})));
          wrong = std::max(wrong, std::abs(shares.back() / 32768.0 - std::exp((row[i] - most) * scale) / total));
        }
      }
      CHECK(wrong < 0.002);
      check_wide(s, blobs_of(entries, {m.multiplier, m.shift}), {codes.data()}, shares);
    }
}

}  // namespace
}  // namespace octet::testing

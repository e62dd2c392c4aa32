// SPDX-License-Identifier: Apache-2.0
// Clamp, quantize, dequantize and transpose: every code, special floats, ties, and permutations of up to six axes.
#include <algorithm>
#include <cstring>
#include <limits>
#include <numeric>

#include "kernels/ref/ref.h"
#include "tests/kernels/cases.h"
#include "tests/kernels/oracle.h"

namespace octet::testing {
namespace {

TEST_CASE("clamp limits every code of either type") {
  for (const CodeType type : kTypes)
    for (const int32_t from : {0, 1, 100, 255})
      for (const int32_t to : {0, 100, 254, 255}) {
        if (to < from) continue;
        const int32_t lo = testing::lowest(type);
        kernels::ClampArgs a{256, lo + from, lo + to, type, {}};
        std::vector<uint8_t> x(256), expected(256);
        for (size_t i = 0; i < 256; ++i) {
          x[i] = static_cast<uint8_t>(i);
          expected[i] = static_cast<uint8_t>(std::min(std::max(code_at(x.data(), i, type), lo + from), lo + to));
        }
        INFO("clamp, " << name(type) << " [" << a.clamp_min << ", " << a.clamp_max << "]");
        check_kernel(kernels::units(a), expected,
                     [&](uint8_t* y, int32_t begin, int32_t end) { kernels::clamp(a, x.data(), y, begin, end); });
      }
}

TEST_CASE("quantize saturates infinities, gives NaN the zero point and rounds halves to even, in fixed modes away from zero") {
  const float inf = std::numeric_limits<float>::infinity(), largest = std::numeric_limits<float>::max();
  std::vector<float> x = {std::numeric_limits<float>::quiet_NaN(),
                          -std::numeric_limits<float>::quiet_NaN(),
                          inf,
                          -inf,
                          largest,
                          -largest,
                          2147483648.0f,
                          -2147483648.0f,
                          4294967296.0f,
                          1e30f,
                          0.0f,
                          -0.0f,
                          1e-45f,
                          -1e-45f,
                          0.49999997f,
                          -0.49999997f};
  for (int i = -600; i <= 600; ++i) {
    x.push_back(static_cast<float>(i) * 0.5f);
    x.push_back(std::nextafter(static_cast<float>(i) * 0.5f, inf));
    x.push_back(std::nextafter(static_cast<float>(i) * 0.5f, -inf));
  }
  for (const Rounding r : kRoundings)
    for (const CodeType type : kTypes)
      for (const float scale : {1.0f, 0.5f, 0.3f, 1.7f, 0.0117647f})
        for (const int32_t zero : {0, 1, 77, 128, 255}) {
          const int32_t lo = testing::lowest(type);
          kernels::QuantizeArgs a{};
          a.count = static_cast<int32_t>(x.size()), a.output_type = type, a.rounding = r;
          a.output = {r == Rounding::real ? 1.0f / scale : scale, lo + zero, lo, testing::highest(type)};
          if (zero == 77) a.output.clamp_max = lo + 127;
          std::vector<uint8_t> expected;
          for (const float v : x) expected.push_back(static_cast<uint8_t>(oracle::quantize(r, v, a.output)));
          INFO("quantize, " << name(r) << ", " << name(type) << ", scale " << scale << ", zero point " << a.output.zero_point);
          with_rounding(r, [&]<Rounding R>() {
            check_kernel(kernels::units(a), expected,
                         [&](uint8_t* y, int32_t begin, int32_t end) { kernels::quantize<R>(a, x.data(), y, begin, end); });
          });
        }
}

TEST_CASE("quantize gives the tie example of PyTorch") {
  const float x[] = {0.5f, 1.5f, 2.5f, -0.5f, -1.5f};
  uint8_t y[5];
  kernels::QuantizeArgs a{};
  a.count = 5, a.output = {1.0f, 10, 0, 255};
  kernels::quantize<Rounding::real>(a, x, y, 0, 5);
  CHECK(std::vector<int>(y, y + 5) == std::vector<int>{10, 12, 12, 10, 8});
}

TEST_CASE("dequantize is one product of the scale and the difference") {
  for (const CodeType type : kTypes)
    for (const int32_t zero : {0, 77, 255}) {
      kernels::DequantizeArgs a{256, testing::lowest(type) + zero, 0.0371f, type, {}};
      std::vector<uint8_t> x(256), expected(1024);
      for (size_t i = 0; i < 256; ++i) {
        x[i] = static_cast<uint8_t>(i);
        const float v = oracle::mul(a.scale, oracle::f32(code_at(x.data(), i, type) - a.zero_point));
        std::memcpy(&expected[4 * i], &v, 4);
      }
      check_kernel(kernels::units(a), expected, [&](uint8_t* y, int32_t begin, int32_t end) {
        kernels::dequantize(a, x.data(), reinterpret_cast<float*>(y), begin, end);
      });
    }
}

TEST_CASE("transpose permutes up to six axes of any element size") {
  Rng rng(3);
  for (const int32_t size : {1, 2, 4, 8, 3})
    for (int32_t rank = 1; rank <= 6; ++rank)
      for (int repeat = 0; repeat < 12; ++repeat) {
        std::vector<int32_t> shape, stride(static_cast<size_t>(rank)), order(static_cast<size_t>(rank));
        for (int32_t i = 0; i < rank; ++i) shape.push_back(uniform(rng, 1, 4));
        std::iota(order.begin(), order.end(), 0);
        if (repeat > 0) std::shuffle(order.begin(), order.end(), rng);
        int32_t elements = 1;
        for (size_t i = shape.size(); i-- > 0;) stride[i] = elements, elements *= shape[i];
        kernels::TransposeArgs a{};
        a.rank = rank, a.element_size = size;
        for (size_t i = 0; i < order.size(); ++i)
          a.output_shape[i] = shape[static_cast<size_t>(order[i])], a.input_stride[i] = stride[static_cast<size_t>(order[i])];
        std::vector<uint8_t> x(static_cast<size_t>(elements * size)), expected(x.size());
        for (auto& v : x) v = static_cast<uint8_t>(rng());
        for (int32_t e = 0; e < elements; ++e) {
          int32_t rest = e, from = 0;
          for (int32_t axis = rank; axis-- > 0; rest /= a.output_shape[axis])
            from += rest % a.output_shape[axis] * a.input_stride[axis];
          std::memcpy(&expected[static_cast<size_t>(e * size)], &x[static_cast<size_t>(from * size)], static_cast<size_t>(size));
        }
        INFO("transpose, rank " << rank << ", element size " << size << ", repeat " << repeat);
        check_kernel(kernels::units(a), expected,
                     [&](uint8_t* y, int32_t begin, int32_t end) { kernels::transpose(a, x.data(), y, begin, end); });
      }
}

TEST_CASE("a lookup gives the code that its channel's table has for the input's bits") {
  Rng rng(17);
  for (const int32_t channels : {1, 2, 5, 64})
    for (const int32_t rows : {1, 3, 70}) {
      std::vector<int8_t> table(static_cast<size_t>(channels) * 256);
      for (auto& v : table) v = static_cast<int8_t>(rng());
      const kernels::LookupArgs a{rows * channels, channels, CodeType::u8, CodeType::i8, {}};
      std::vector<uint8_t> x(static_cast<size_t>(a.count)), expected(x.size());
      for (auto& v : x) v = static_cast<uint8_t>(rng());
      for (size_t i = 0; i < x.size(); ++i)
        expected[i] = static_cast<uint8_t>(table[i % static_cast<size_t>(channels) * 256 + x[i]]);
      INFO("lookup, " << channels << " channels, " << rows << " rows");
      check_kernel(kernels::units(a), expected,
                   [&](uint8_t* y, int32_t begin, int32_t end) { kernels::lookup(a, x.data(), table.data(), y, begin, end); });
    }
}

}  // namespace
}  // namespace octet::testing

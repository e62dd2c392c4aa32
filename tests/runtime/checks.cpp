// SPDX-License-Identifier: Apache-2.0
// What an operator's check refuses where several numbers have to fit together: sizes, windows, bounds of sums, tables that go with
// a rounding. The steps are written by hand; no image of such a size would fit a test.
#include <cstdint>
#include <vector>

#include "kernels/args.h"
#include "runtime/octet.h"
#include "tests/catch.h"

using namespace octet;
using namespace octet::kernels;

namespace {

template <class Args>
octet_step step_of(const Args& a, uint32_t input, uint32_t output) {
  octet_step s{};
  s.args = &a, s.args_bytes = sizeof a;
  s.input_count = s.output_count = 1;
  s.input_bytes[0] = input, s.output_bytes[0] = output;
  return s;
}

constexpr OutputArgs kOutput{4, 3, -128, 127};

/// Windows of 2x2 over 4x4, one channel.
Pool2dArgs pool(PoolKind kind) {
  Pool2dArgs a{};
  a.batch = 1, a.in_h = a.in_w = 4, a.channels = 1, a.out_h = a.out_w = 2;
  a.kernel_h = a.kernel_w = a.stride_h = a.stride_w = 2;
  a.clamp_min = -128, a.clamp_max = 127, a.kind = kind, a.type = CodeType::i8, a.rounding = Rounding::fixed_single;
  return a;
}

octet_status check_pool(const Pool2dArgs& a) {
  const auto bytes = [](int64_t n) { return static_cast<uint32_t>(n); };
  const octet_step s =
      step_of(a, bytes(int64_t{a.batch} * a.in_h * a.in_w * a.channels), bytes(int64_t{a.batch} * a.out_h * a.out_w * a.channels));
  return (a.kind == PoolKind::max ? octet_op_max_pool2d : octet_op_average_pool2d_fixed_single).check(&s);
}

/// A convolution of one output channel with its tables.
struct FirstLayer {
  Conv2dArgs a{};
  std::vector<int8_t> weight = std::vector<int8_t>(9, 2);
  std::vector<int32_t> bias_codes{0}, multiplier{1 << 30}, shift{-5}, zero{0};
  std::vector<float> scale{0.5F}, bias{0};
  uint32_t residual = 0;

  explicit FirstLayer(Rounding rounding) {
    a.batch = 1, a.in_h = a.in_w = 5, a.in_c = 1, a.out_h = a.out_w = 3, a.out_c = 1;
    a.kernel_h = a.kernel_w = 3, a.stride_h = a.stride_w = a.dilation_h = a.dilation_w = a.groups = 1;
    a.input_type = a.output_type = a.residual_type = CodeType::i8;
    a.rounding = rounding, a.output = kOutput;
  }
  octet_status check() const {
    octet_step s = step_of(a, 25, 9);
    s.input_count = residual == 0 ? 1 : 2, s.input_bytes[1] = residual;
    s.table_count = 1;
    octet_tables& t = s.tables[0];
    t.weight = weight.data(), t.weight_bytes = static_cast<uint32_t>(weight.size()), t.channels = 1;
    t.weight_zero_point = zero.data();
    if (a.rounding == Rounding::real) {
      t.scale = scale.data(), t.bias = bias.data();
      return octet_op_conv2d_real.check(&s);
    }
    t.bias_codes = bias_codes.data(), t.multiplier = multiplier.data(), t.shift = shift.data();
    return octet_op_conv2d_fixed_double.check(&s);
  }
};

}  // namespace

TEST_CASE("a pool's windows begin inside the padded input, and its cells stay countable in 32 bits") {
  for (const PoolKind kind : {PoolKind::max, PoolKind::average, PoolKind::adaptive_average}) {
    CAPTURE(static_cast<int>(kind));
    CHECK(check_pool(pool(kind)) == OCTET_OK);
    const auto status = [&](auto change) {
      Pool2dArgs a = pool(kind);
      change(a);
      return check_pool(a);
    };
    // 2^22 cells are the most that an average is of; an adaptive window of half the input has one more where it is odd.
    const octet_status more_input = kind == PoolKind::adaptive_average ? OCTET_ERROR_BOUND : OCTET_OK;
    CHECK(status([](auto& a) { a.in_h = 1 << 12, a.in_w = 1 << 12, a.out_h = a.out_w = 2; }) == OCTET_OK);
    CHECK(status([](auto& a) { a.in_h = 1 << 12, a.in_w = (1 << 12) + 2, a.out_h = a.out_w = 2; }) == more_input);
    if (kind == PoolKind::adaptive_average) continue;
    const octet_status more = kind == PoolKind::average ? OCTET_ERROR_BOUND : OCTET_OK;
    CHECK(status([](auto& a) { a.kernel_h = 1 << 11, a.kernel_w = 1 << 11; }) == OCTET_OK);
    CHECK(status([](auto& a) { a.kernel_h = 1 << 11, a.kernel_w = (1 << 11) + 1; }) == more);
    // The last window begins at 2: the input may end behind it, but not there.
    for (const bool rows : {true, false}) {
      const auto ends = [&](int32_t in, int32_t before, int32_t after) {
        return status([&](auto& a) {
          (rows ? a.in_h : a.in_w) = in, (rows ? a.pad_top : a.pad_left) = before, (rows ? a.pad_bottom : a.pad_right) = after;
        });
      };
      CHECK(ends(3, 0, 0) == OCTET_OK);
      CHECK(ends(2, 0, 0) == OCTET_ERROR_ARGUMENTS);
      CHECK(ends(2, 1, 0) == OCTET_OK);
      CHECK(ends(2, 0, 1) == OCTET_OK);
      CHECK(ends(1, 1, 0) == OCTET_ERROR_ARGUMENTS);
      CHECK(ends(1, 0, 1) == OCTET_ERROR_ARGUMENTS);
    }
    CHECK(status([](auto& a) { a.clamp_min = 5, a.clamp_max = 4; }) == OCTET_ERROR_ARGUMENTS);
    CHECK(status([](auto& a) { a.pad_right = -1; }) == OCTET_ERROR_ARGUMENTS);
  }
  Pool2dArgs a = pool(PoolKind::average);
  const octet_step s = step_of(a, 16, 4);
  CHECK(octet_op_max_pool2d.check(&s) == OCTET_ERROR_ARGUMENTS);
  a.kind = PoolKind::max;
  CHECK(octet_op_average_pool2d_fixed_single.check(&s) == OCTET_ERROR_ARGUMENTS);
}

TEST_CASE("a residual has the size of the output and a rounding that adds it") {
  const auto status = [](Rounding rounding, float scale, uint32_t bytes) {
    FirstLayer l(rounding);
    l.a.residual_scale = scale, l.residual = bytes;
    return l.check();
  };
  CHECK(status(Rounding::real, 0, 0) == OCTET_OK);
  CHECK(status(Rounding::real, 0.5F, 9) == OCTET_OK);
  CHECK(status(Rounding::real, 0.5F, 8) == OCTET_ERROR_ARGUMENTS);
  CHECK(status(Rounding::real, 0.5F, 10) == OCTET_ERROR_ARGUMENTS);
  CHECK(status(Rounding::real, 0.5F, 0) == OCTET_ERROR_ARGUMENTS);
  CHECK(status(Rounding::real, 0, 9) == OCTET_ERROR_ARGUMENTS);
  CHECK(status(Rounding::fixed_double, 0.5F, 9) == OCTET_ERROR_ARGUMENTS);
  CHECK(status(Rounding::fixed_double, 0, 0) == OCTET_OK);
  const auto shifted = [](Rounding rounding, int32_t multiplier, int32_t shift, uint32_t bytes) {
    FirstLayer l(rounding);
    l.a.residual_multiplier = multiplier, l.a.residual_shift = shift, l.residual = bytes;
    return l.check();
  };
  CHECK(shifted(Rounding::fixed_double, 1 << 30, 40, 9) == OCTET_OK);
  CHECK(shifted(Rounding::fixed_double, 0, 62, 9) == OCTET_OK);
  CHECK(shifted(Rounding::fixed_double, 1 << 30, 40, 8) == OCTET_ERROR_ARGUMENTS);
  CHECK(shifted(Rounding::fixed_double, 1 << 30, 40, 0) == OCTET_ERROR_ARGUMENTS);
  CHECK(shifted(Rounding::fixed_double, -1, 40, 9) == OCTET_ERROR_ARGUMENTS);
  for (const int32_t shift : {-1, 0, 63, 64}) CHECK(shifted(Rounding::fixed_double, 1 << 30, shift, 9) == OCTET_ERROR_ARGUMENTS);
  CHECK(shifted(Rounding::real, 1 << 30, 40, 9) == OCTET_ERROR_ARGUMENTS);
}

TEST_CASE("a layer's sums are bounded by its weights, their zero points and its bias; zero points are codes") {
  const auto status = [](auto change) {
    FirstLayer l(Rounding::fixed_double);
    change(l);
    return l.check();
  };
  CHECK(status([](FirstLayer&) {}) == OCTET_OK);
  for (const int32_t zero : {-128, 127}) CHECK(status([&](FirstLayer& l) { l.zero[0] = zero; }) == OCTET_OK);
  for (const int32_t zero : {-129, 128, INT32_MAX, INT32_MIN})
    CHECK(status([&](FirstLayer& l) { l.zero[0] = zero; }) == OCTET_ERROR_ARGUMENTS);
  // Nine weights of 2 times 128 at most (the zero point is 0): 2304.
  for (const int32_t sign : {1, -1}) {
    CHECK(status([&](FirstLayer& l) { l.bias_codes[0] = sign * (INT32_MAX - 2304); }) == OCTET_OK);
    CHECK(status([&](FirstLayer& l) { l.bias_codes[0] = sign * (INT32_MAX - 2303); }) == OCTET_ERROR_BOUND);
  }
  CHECK(status([](FirstLayer& l) { l.bias_codes[0] = INT32_MIN; }) == OCTET_ERROR_BOUND);
  // A weight's zero point widens what it counts: 2 + 3 each, 5760; an input's zero point the codes: 2 * 255 each, 4590.
  CHECK(status([](FirstLayer& l) { l.zero[0] = -3, l.bias_codes[0] = INT32_MAX - 5760; }) == OCTET_OK);
  CHECK(status([](FirstLayer& l) { l.zero[0] = -3, l.bias_codes[0] = INT32_MAX - 5759; }) == OCTET_ERROR_BOUND);
  for (const int32_t end : {-128, 127}) {
    CHECK(status([&](FirstLayer& l) { l.a.input_zero_point = end, l.bias_codes[0] = INT32_MAX - 4590; }) == OCTET_OK);
    CHECK(status([&](FirstLayer& l) { l.a.input_zero_point = end, l.bias_codes[0] = INT32_MAX - 4589; }) == OCTET_ERROR_BOUND);
  }
  CHECK(status([](FirstLayer& l) { l.weight.push_back(0); }) == OCTET_ERROR_ARGUMENTS);
  CHECK(status([](FirstLayer& l) { l.multiplier[0] = -1; }) == OCTET_ERROR_ARGUMENTS);
  CHECK(status([](FirstLayer& l) { l.shift[0] = 31; }) == OCTET_ERROR_ARGUMENTS);
  CHECK(status([](FirstLayer& l) { l.shift[0] = -32; }) == OCTET_ERROR_ARGUMENTS);
  CHECK(status([](FirstLayer& l) { l.a.output.clamp_min = 5, l.a.output.clamp_max = 4; }) == OCTET_ERROR_ARGUMENTS);
}

TEST_CASE("rows of a concatenation lie apart, operands of an addition have its size, a transposition stays inside") {
  RequantizeArgs r{};
  r.rows = 3, r.row = 4, r.output_stride = 4, r.input_scale = 0.5F, r.rounding = Rounding::real, r.output = kOutput;
  r.input_type = r.output_type = CodeType::i8;
  const auto rows = [&](int32_t stride, uint32_t output) {
    r.output_stride = stride;
    const octet_step s = step_of(r, 12, output);
    return octet_op_requantize_real.check(&s);
  };
  CHECK(rows(4, 12) == OCTET_OK);
  CHECK(rows(9, 22) == OCTET_OK);  // 9 + 9 + 4
  CHECK(rows(9, 21) == OCTET_ERROR_ARGUMENTS);
  CHECK(rows(3, 12) == OCTET_ERROR_ARGUMENTS);

  AddArgs a{};
  a.count = 8, a.a_scale = a.b_scale = 0.5F, a.rounding = Rounding::real, a.output = kOutput;
  a.a_type = a.b_type = a.output_type = CodeType::i8;
  const auto add = [&](uint32_t first, uint32_t second, uint32_t output) {
    octet_step s = step_of(a, first, output);
    s.input_count = 2, s.input_bytes[1] = second;
    return octet_op_add_real.check(&s);
  };
  CHECK(add(8, 8, 8) == OCTET_OK);
  for (const uint32_t wrong : {0u, 7u, 9u, 16u}) {
    CHECK(add(wrong, 8, 8) == OCTET_ERROR_ARGUMENTS);
    CHECK(add(8, wrong, 8) == OCTET_ERROR_ARGUMENTS);
    CHECK(add(8, 8, wrong) == OCTET_ERROR_ARGUMENTS);
  }

  TransposeArgs t{2, 1, {3, 4}, {1, 3}};
  const auto turned = [&](int32_t s0, int32_t s1) {
    t.input_stride[0] = s0, t.input_stride[1] = s1;
    const octet_step s = step_of(t, 12, 12);
    return octet_op_transpose.check(&s);
  };
  CHECK(turned(1, 3) == OCTET_OK);  // the last element read is 2 * 1 + 3 * 3 = 11
  CHECK(turned(2, 3) == OCTET_ERROR_ARGUMENTS);
  CHECK(turned(1, 4) == OCTET_ERROR_ARGUMENTS);
  CHECK(turned(-1, 3) == OCTET_ERROR_ARGUMENTS);
  CHECK(turned(INT32_MAX, INT32_MAX) == OCTET_ERROR_ARGUMENTS);
  for (const int32_t rank : {0, 1, 7}) {
    TransposeArgs one{rank, 1, {1}, {1}};
    const octet_step s = step_of(one, 1, 1);
    CHECK(octet_op_transpose.check(&s) == (rank == 1 ? OCTET_OK : OCTET_ERROR_ARGUMENTS));
  }
}

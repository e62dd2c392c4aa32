// SPDX-License-Identifier: Apache-2.0
// Seeded layers for the Cortex-M kernels with the reference kernel's bytes: the shapes of three small networks, odd shapes, fills
// that reach every extreme, zero points at both ends, three roundings.
#pragma once

#include <functional>

#include "kernels/cortex_m/cortex_m.h"
#include "kernels/cortex_m/pack.h"
#include "tests/cortex_m/case_file.h"
#include "tests/kernels/conv2d_cases.h"
#include "tests/kernels/weighted.h"

namespace octet::testing {

using cortex_m::Target;

/// One layer, ready to run.
struct DeviceCase {
  Kind kind;
  std::string name, refusal;
  Rounding rounding;
  bool reference;  ///< an ordinary fill of a network's layer: worth counting instructions
  std::vector<uint8_t> args, input, second, packed, expected;
  std::vector<int8_t> weight;
  Tables tables;
  int32_t scratch_bytes;
};

struct LinearShape {
  const char* name;
  int32_t rows, in, out;
};

inline constexpr ConvShape kDeviceConvShapes[] = {
    {"DS-CNN conv 10x4", 1, 49, 10, 1, 64, 10, 4, 2, 2, 1, 1, 4, 1, 5, 1, 1},
    {"DS-CNN pointwise 64-64", 1, 25, 5, 64, 64, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"DS-CNN depthwise 64", 1, 25, 5, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 64},
    {"ResNet-8 3x3 3-16", 1, 32, 32, 3, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"ResNet-8 3x3 16-16", 1, 32, 32, 16, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"ResNet-8 3x3 s2 16-32", 1, 32, 32, 16, 32, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 1},
    {"ResNet-8 3x3 32-32", 1, 16, 16, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"ResNet-8 1x1 s2 16-32", 1, 32, 32, 16, 32, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1},
    {"ResNet-8 3x3 s2 32-64", 1, 16, 16, 32, 64, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 1},
    {"ResNet-8 3x3 64-64", 1, 8, 8, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"ResNet-8 1x1 s2 32-64", 1, 16, 16, 32, 64, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1},
    {"MobileNet depthwise 32, 24x24", 1, 24, 24, 32, 32, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 32},
    {"MobileNet depthwise s2 16, 48x48", 1, 48, 48, 16, 16, 3, 3, 2, 2, 1, 1, 0, 0, 1, 1, 16},
    {"MobileNet depthwise 128, 6x6", 1, 6, 6, 128, 128, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 128},
    {"MobileNet depthwise 256, 3x3", 1, 3, 3, 256, 256, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 256},
    {"MobileNet pointwise 16-32, 24x24", 1, 24, 24, 16, 32, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
};
inline constexpr size_t kNetworkShapes = sizeof kDeviceConvShapes / sizeof *kDeviceConvShapes;

inline constexpr ConvShape kOddConvShapes[] = {
    {"1x1, one channel", 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1, odd channels", 2, 3, 5, 17, 9, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1, one pixel", 1, 1, 1, 20, 6, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1 padded, stride 2", 1, 5, 4, 8, 8, 1, 1, 2, 2, 1, 1, 1, 1, 1, 1, 1},
    {"3x3, two images", 2, 5, 3, 5, 7, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"3x3 valid, stride 2", 1, 7, 9, 4, 5, 3, 3, 2, 2, 1, 1, 0, 0, 0, 0, 1},
    {"one column", 1, 9, 1, 6, 8, 3, 1, 1, 1, 1, 1, 1, 0, 1, 0, 1},
    {"four different pads", 1, 5, 6, 3, 4, 4, 5, 1, 1, 1, 1, 3, 1, 2, 4, 1},
    {"padding beyond the kernel", 1, 2, 2, 3, 4, 2, 2, 1, 1, 1, 1, 3, 4, 3, 4, 1},
    {"stride jumps over the input's end", 1, 3, 3, 4, 4, 3, 3, 4, 4, 1, 1, 2, 2, 3, 3, 1},
    {"strides 3 and 1", 1, 10, 6, 8, 12, 2, 3, 3, 1, 1, 1, 0, 0, 0, 0, 1},
    {"depthwise, one row", 1, 1, 9, 4, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 4},
    {"depthwise, one pixel", 1, 1, 1, 8, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 8},
    {"depthwise valid 20, two images", 2, 6, 7, 20, 20, 3, 3, 1, 1, 1, 1, 0, 0, 0, 0, 20},
    {"depthwise s2, columns, uneven pads", 1, 15, 3, 36, 36, 3, 3, 2, 2, 1, 1, 1, 0, 2, 1, 36},
    {"depthwise strides 1 and 2", 1, 6, 11, 12, 12, 3, 3, 1, 2, 1, 1, 2, 1, 1, 3, 12},
    {"depthwise strides 3 and 1", 1, 11, 6, 8, 8, 3, 3, 3, 1, 1, 1, 1, 1, 1, 1, 8},
    {"depthwise, pads of 3", 1, 4, 5, 16, 16, 3, 3, 1, 1, 1, 1, 3, 3, 3, 3, 16},
};

inline std::vector<uint8_t> bytes_of(const void* p, size_t n) {
  const auto* b = static_cast<const uint8_t*>(p);
  return {b, b + n};
}

/// Rescaling that spreads the accumulators over the codes and keeps to the shifts of the fixed modes; ties: exact halves.
inline Tables device_tables(Rng& rng, Fill fill, int32_t channels, const std::vector<int64_t>& acc) {
  std::vector<int64_t> largest(static_cast<size_t>(channels), 1);
  for (size_t i = 0; i < acc.size(); ++i) {
    int64_t& l = largest[i % static_cast<size_t>(channels)];
    l = std::max(l, acc[i] < 0 ? -acc[i] : acc[i]);
  }
  Tables t(rng, Rounding::fixed_double, fill, 0, {}, 4);
  for (int32_t c = 0; c < channels; ++c) {
    const auto size = static_cast<float>(largest[static_cast<size_t>(c)]);
    const float total = fill == Fill::ties ? (c % 2 == 0 ? 0.125f : 0.0625f) : std::min(0.24f, uniform_real(rng, 60, 400) / size);
    const int32_t b = fill == Fill::ties ? uniform(rng, -40, 40) : uniform(rng, -20, 20) * static_cast<int32_t>(1 + size / 200);
    t.scale.push_back(total / 4);
    t.bias.push_back(static_cast<float>(b) * total / 4);
    t.bias_codes.push_back(b);
    const FixedMultiplier m = quantize_multiplier(total);
    const bool dead = fill == Fill::random && uniform(rng, 0, 15) == 0;
    t.multiplier.push_back(dead ? 0 : m.multiplier);
    t.shift.push_back(dead ? 0 : m.shift);
    // Channels that give one code for every input: saturated by their bias, or rounded to nothing.
    const int kind = fill == Fill::random ? uniform(rng, 0, 31) : 31;
    if (kind < 2) t.bias_codes.back() = kind == 0 ? 1 << 24 : -(1 << 24), t.bias.back() = kind == 0 ? 1e6f : -1e6f;
    if (kind == 2 && !dead) t.shift.back() = -27, t.scale.back() = 1e-30f;
  }
  return t;
}

/// Weights that never leave -127..127; extreme fills use both ends.
inline std::vector<int8_t> device_weights(Rng& rng, Fill fill, size_t n) {
  std::vector<int8_t> w;
  for (const uint8_t q : codes(rng, fill, n, -127, 127, 0)) w.push_back(static_cast<int8_t>(q));
  return w;
}

inline kernels::Channels device_channels(const Tables& t) {
  return {t.scale.data(), t.bias.data(), t.bias_codes.data(), t.multiplier.data(), t.shift.data(), nullptr};
}

inline DeviceCase conv_case(const ConvShape& s, Rounding r, Fill fill, uint32_t seed, Target target, bool reference,
                            bool residual = false) {
  Rng rng(seed);
  kernels::Conv2dArgs a = args_of(s);
  a.rounding = r, a.input_type = a.output_type = a.residual_type = CodeType::i8;
  const int32_t zeros[] = {-128, 127, 0, -3};
  a.input_zero_point = zeros[uniform(rng, 0, 3)];
  a.output = output_args(rng, fill, CodeType::i8);
  a.output.inv_scale = 4;
  const auto inputs = static_cast<size_t>(a.batch * a.in_h * a.in_w * a.in_c);
  const std::vector<uint8_t> input = codes(rng, fill, inputs, -128, 127, a.input_zero_point);
  const std::vector<int8_t> weight = device_weights(rng,
                                                    fill == Fill::ties        ? Fill::ties
                                                    : uniform(rng, 0, 1) != 0 ? Fill::random
                                                                              : fill,
                                                    static_cast<size_t>(a.out_c * a.kernel_h * a.kernel_w * (a.in_c / a.groups)));
  Tables tables = device_tables(rng, fill, a.out_c, accumulators(a, input, weight, {}));
  std::vector<uint8_t> expected(static_cast<size_t>(a.batch * a.out_h * a.out_w * a.out_c)), second;
  if (residual) {
    a.residual_zero_point = zeros[uniform(rng, 0, 3)];
    tables.add_residual(a, fill == Fill::ties ? 0.5f : uniform_real(rng, 0.05f, 2));
    second = codes(rng, uniform(rng, 0, 1) != 0 ? Fill::random : fill, expected.size(), -128, 127, a.residual_zero_point);
  }
  kernels::Buffers data{input.data(), weight.data(), second.data(), expected.data(), device_channels(tables)};
  with_rounding(r, [&]<Rounding R>() { kernels::conv2d<R>(a, data, 0, kernels::units(a)); });
  const cortex_m::Packed packed = cortex_m::pack(a, data, target);
  return {cortex_m::is_depthwise(a) ? Kind::depthwise : Kind::conv2d,
          s.name,
          packed.refusal,
          r,
          reference,
          bytes_of(&a, sizeof a),
          input,
          second,
          packed.bytes,
          expected,
          weight,
          tables,
          target == Target::m4 ? cortex_m::m4::scratch_bytes(a) : cortex_m::m55::scratch_bytes(a)};
}

inline constexpr LinearShape kDeviceLinearShapes[] = {
    {"DS-CNN linear 64-12", 1, 64, 12},   {"autoencoder 640-128", 1, 640, 128}, {"autoencoder 128-128", 1, 128, 128},
    {"autoencoder 128-8", 1, 128, 8},     {"autoencoder 8-128", 1, 8, 128},     {"autoencoder 128-640", 1, 128, 640},
    {"ResNet-8 linear 64-10", 1, 64, 10},
};
inline constexpr LinearShape kOddLinearShapes[] = {{"linear 1-1", 1, 1, 1},
                                                   {"linear 7-3, three rows", 3, 7, 3},
                                                   {"linear 30-21, two rows", 2, 30, 21},
                                                   {"linear 45-16", 1, 45, 16}};

inline DeviceCase linear_case(const LinearShape& s, Rounding r, Fill fill, uint32_t seed, Target target, bool reference) {
  Rng rng(seed);
  kernels::LinearArgs a{};
  a.rows = s.rows, a.in = s.in, a.out = s.out, a.rounding = r, a.input_type = a.output_type = CodeType::i8;
  const int32_t zeros[] = {-128, 127, 0, -3};
  a.input_zero_point = zeros[uniform(rng, 0, 3)];
  a.output = output_args(rng, fill, CodeType::i8);
  a.output.inv_scale = 4;
  const std::vector<uint8_t> input = codes(rng, fill, static_cast<size_t>(a.rows * a.in), -128, 127, a.input_zero_point);
  const std::vector<int8_t> weight = device_weights(rng,
                                                    fill == Fill::ties        ? Fill::ties
                                                    : uniform(rng, 0, 1) != 0 ? Fill::random
                                                                              : fill,
                                                    static_cast<size_t>(a.in * a.out));
  std::vector<int64_t> acc;
  for (int32_t row = 0; row < a.rows; ++row)
    for (int32_t o = 0; o < a.out; ++o) {
      int64_t sum = 0;
      for (int32_t i = 0; i < a.in; ++i)
        sum += int64_t{code_at(input.data(), static_cast<size_t>(row * a.in + i), CodeType::i8) - a.input_zero_point} *
               weight[static_cast<size_t>(o * a.in + i)];
      acc.push_back(sum);
    }
  const Tables tables = device_tables(rng, fill, a.out, acc);
  std::vector<uint8_t> expected(static_cast<size_t>(a.rows * a.out));
  kernels::Buffers data{input.data(), weight.data(), nullptr, expected.data(), device_channels(tables)};
  with_rounding(r, [&]<Rounding R>() { kernels::linear<R>(a, data, 0, a.rows); });
  const cortex_m::Packed packed = cortex_m::pack(a, data, target);
  return {Kind::linear,
          s.name,
          packed.refusal,
          r,
          reference,
          bytes_of(&a, sizeof a),
          input,
          {},
          packed.bytes,
          expected,
          weight,
          tables,
          target == Target::m4 ? cortex_m::m4::scratch_bytes(a) : cortex_m::m55::scratch_bytes(a)};
}

/// A sum as TensorFlow Lite lowers it: scales a : b : output as given.
inline DeviceCase add_case(const char* name, int32_t count, Rounding r, Fill fill, uint32_t seed, Target target, bool reference) {
  Rng rng(seed);
  kernels::AddArgs a{};
  a.count = count, a.rounding = r, a.a_type = a.b_type = a.output_type = CodeType::i8;
  const int32_t zeros[] = {-128, 127, 0, -3};
  a.a_zero_point = zeros[uniform(rng, 0, 3)], a.b_zero_point = zeros[uniform(rng, 0, 3)];
  a.output = output_args(rng, fill, CodeType::i8);
  const double sa = fill == Fill::ties ? 0.5 : uniform_real(rng, 0.05f, 1), ratio = uniform_real(rng, 0.05f, 1);
  const double sb = fill == Fill::ties || uniform(rng, 0, 4) == 0 ? sa : uniform(rng, 0, 1) != 0 ? sa * ratio : sa / ratio;
  const double twice = 2 * std::max(sa, sb), out = fill == Fill::ties ? 1.0 : std::max(sa, sb) * uniform_real(rng, 0.6f, 2);
  const FixedMultiplier ma = quantize_multiplier(sa / twice), mb = quantize_multiplier(sb / twice);
  const FixedMultiplier mo = quantize_multiplier(twice / ((1 << 20) * out));
  a.a_multiplier = ma.multiplier, a.a_shift = ma.shift, a.b_multiplier = mb.multiplier, a.b_shift = mb.shift;
  a.output_multiplier = mo.multiplier, a.output_shift = mo.shift;
  const auto n = static_cast<size_t>(count);
  const std::vector<uint8_t> first = codes(rng, fill, n, -128, 127, a.a_zero_point);
  const std::vector<uint8_t> second = codes(rng, uniform(rng, 0, 1) != 0 ? Fill::random : fill, n, -128, 127, a.b_zero_point);
  std::vector<uint8_t> expected(n);
  with_rounding(r, [&]<Rounding R>() { kernels::add<R>(a, first.data(), second.data(), expected.data(), 0, count); });
  const cortex_m::Packed packed = cortex_m::pack(a, target);
  return {Kind::add, name,   packed.refusal, r,        reference, bytes_of(&a, sizeof a),
          first,     second, packed.bytes,   expected, {},        device_tables(rng, fill, 0, {}),
          0};
}

struct PoolShape {
  const char* name;
  int32_t batch, h, w, c, kernel_h, kernel_w, stride, pad, include_pad;
};
inline constexpr PoolShape kPoolShapes[] = {
    {"DS-CNN average pool 25x5x64", 1, 25, 5, 64, 25, 5, 1, 0, 0}, {"ResNet-8 average pool 8x8x64", 1, 8, 8, 64, 8, 8, 1, 0, 0},
    {"average pool 3x3 stride 2", 2, 7, 9, 12, 3, 3, 2, 1, 0},     {"average pool, padding counts", 1, 5, 4, 20, 3, 3, 1, 1, 1},
    {"average pool 20x30", 1, 20, 30, 4, 20, 30, 1, 0, 0},         {"average pool 1x300", 1, 2, 301, 4, 1, 300, 1, 0, 0}};

inline DeviceCase pool_case(const PoolShape& s, Rounding r, Fill fill, uint32_t seed, bool reference) {
  Rng rng(seed);
  kernels::Pool2dArgs a{};
  a.batch = s.batch, a.in_h = s.h, a.in_w = s.w, a.channels = s.c, a.kernel_h = s.kernel_h, a.kernel_w = s.kernel_w;
  a.stride_h = a.stride_w = s.stride, a.pad_top = a.pad_left = a.pad_bottom = a.pad_right = s.pad;
  a.out_h = extent(s.h, s.pad, s.pad, s.kernel_h, s.stride, 1), a.out_w = extent(s.w, s.pad, s.pad, s.kernel_w, s.stride, 1);
  const int32_t zeros[] = {-128, 127, 0, -3};
  a.zero_point = zeros[uniform(rng, 0, 3)], a.clamp_min = uniform(rng, 0, 2) == 0 ? -5 : -128, a.clamp_max = 127;
  a.kind = kernels::PoolKind::average, a.type = CodeType::i8, a.rounding = r;
  a.count_include_pad = static_cast<uint8_t>(s.include_pad);
  const std::vector<uint8_t> input = codes(rng, fill, static_cast<size_t>(s.batch * s.h * s.w * s.c), -128, 127, 0);
  std::vector<uint8_t> expected(static_cast<size_t>(a.batch * a.out_h * a.out_w * a.channels));
  with_rounding(r, [&]<Rounding R>() { kernels::average_pool2d<R>(a, input.data(), expected.data(), 0, kernels::units(a)); });
  const std::string refusal = cortex_m::accepts(a) ? "" : "not accepted";
  return {Kind::pool, s.name, refusal, r,        reference, bytes_of(&a, sizeof a),
          input,      {},     {0},     expected, {},        device_tables(rng, fill, 0, {}),
          0};
}

/// Calls `f` for every case; those of a network's layers with an ordinary fill come first and are marked.
inline void for_each_case(Target target, const std::function<void(const DeviceCase&)>& f) {
  constexpr Rounding kDevice[] = {Rounding::fixed_double, Rounding::fixed_single, Rounding::real};
  uint32_t seed = 1;
  for (const Rounding r : kDevice) {
    for (const ConvShape& s : kDeviceConvShapes) f(conv_case(s, r, Fill::random, seed++, target, true));
    for (const LinearShape& s : kDeviceLinearShapes) f(linear_case(s, r, Fill::random, seed++, target, true));
    if (r != Rounding::real) {
      for (const PoolShape& s : kPoolShapes)
        for (const Fill fill : kFills) f(pool_case(s, r, fill, seed++, fill == Fill::random && s.pad == 0));
      f(add_case("ResNet-8 add 32x32x16", 16384, r, Fill::random, seed++, target, true));
      for (const Fill fill : kFills)
        for (const int32_t count : {1, 2, 3, 4, 255, 1024, 1026}) f(add_case("add", count, r, fill, seed++, target, false));
    }
    for (const Fill fill : kFills) {
      for (const LinearShape& s : kOddLinearShapes)
        for (int i = 0; i < 3; ++i) f(linear_case(s, r, fill, seed++, target, false));
      f(linear_case(kDeviceLinearShapes[0], r, fill, seed++, target, false));
    }
    for (const ConvShape& s : kOddConvShapes)
      for (const Fill fill : kFills)
        for (int i = 0; i < 3; ++i) f(conv_case(s, r, fill, seed++, target, false));
    for (const Fill fill : kFills)
      for (const size_t i : {size_t{0}, size_t{1}, size_t{2}, size_t{5}})
        f(conv_case(kDeviceConvShapes[i], r, fill, seed++, target, false));
    for (const size_t i : {size_t{1}, size_t{4}, size_t{6}, size_t{9}})
      f(conv_case(kDeviceConvShapes[i], r, Fill::random, seed++, target, false, true));
    for (const ConvShape& s : kOddConvShapes)
      for (const Fill fill : kFills)
        if (s.groups == 1) f(conv_case(s, r, fill, seed++, target, false, true));
  }
}

}  // namespace octet::testing

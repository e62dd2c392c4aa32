// SPDX-License-Identifier: Apache-2.0
// The host side: sizes derived from arguments, and the reference engine behind make(), with any number of threads and with tables
// left out.
#include "kernels/kernel.h"

#include "kernels/multiplier.h"
#include "kernels/parallel.h"
#include "kernels/ref/ref.h"
#include "tests/kernels/cases.h"

namespace octet::testing {
namespace {

using namespace kernels;

Conv2dArgs demo_conv(Rounding r) {
  Conv2dArgs a{};
  a.batch = 3, a.in_h = 20, a.in_w = 18, a.in_c = 16, a.out_h = 10, a.out_w = 9, a.out_c = 24;
  a.kernel_h = a.kernel_w = 3, a.stride_h = a.stride_w = 2, a.dilation_h = a.dilation_w = 1, a.pad_top = a.pad_left = 1,
  a.groups = 2;
  a.input_zero_point = 3, a.rounding = r, a.output = {1.0f, 9, 0, 255};
  return a;
}

std::shared_ptr<Blobs> demo_blobs(Rng& rng) {
  auto blobs = std::make_shared<Blobs>();
  std::vector<int8_t> weight;
  for (int i = 0; i < 24 * 9 * 8; ++i) weight.push_back(static_cast<int8_t>(uniform(rng, -127, 127)));
  blobs->weight = std::move(weight);
  const FixedMultiplier m = quantize_multiplier(0.001);
  blobs->scale.assign(24, 0.001f), blobs->multiplier.assign(24, m.multiplier), blobs->shift.assign(24, m.shift);
  return blobs;
}

TEST_CASE("make gives the reference kernel's bytes with 1, 2, 3 and 7 threads, a missing bias counting as zeros") {
  Rng rng(9);
  const auto blobs = demo_blobs(rng);
  const std::vector<float> bias(24, 0.0f);
  const std::vector<int32_t> bias_codes(24, 0);
  const auto x = codes(rng, Fill::random, 3 * 20 * 18 * 16, 0, 255, 0);
  for (const Rounding r : kRoundings) {
    const Conv2dArgs a = demo_conv(r);
    std::vector<uint8_t> expected(static_cast<size_t>(output_bytes(a)));
    with_rounding(r, [&]<Rounding R>() {
      conv2d<R>(a,
                {x.data(),
                 blobs->weight.data(),
                 nullptr,
                 expected.data(),
                 {blobs->scale.data(), bias.data(), bias_codes.data(), blobs->multiplier.data(), blobs->shift.data(), nullptr}},
                0, units(a));
    });
    const Made made = make(a, blobs, QEngine::reference);
    REQUIRE(made.kernel != nullptr);
    CHECK(made.kernel->implementation() == "reference");
    for (const int n : {1, 2, 3, 7}) {
      const ThreadsScope scope(n);
      Guarded y(expected.size());
      const void* inputs[] = {x.data()};
      made.kernel->run(inputs, y.data());
      INFO(name(r) << ", " << n << " threads");
      CHECK(y.intact());
      CHECK(y.inner() == expected);
    }
  }
}

TEST_CASE("make passes a fused residual as the second input") {
  Rng rng(10);
  Conv2dArgs a = demo_conv(Rounding::real);
  a.residual_scale = 0.5f, a.residual_zero_point = 100;
  const auto x = codes(rng, Fill::all_min, 3 * 20 * 18 * 16, 3, 3, 3);  // the zero point everywhere: only the residual is left
  const std::vector<uint8_t> residual(static_cast<size_t>(output_bytes(a)), 120);
  std::vector<uint8_t> y(residual.size());
  const void* inputs[] = {x.data(), residual.data()};
  make(a, demo_blobs(rng), QEngine::reference).kernel->run(inputs, y.data());
  CHECK(y == std::vector<uint8_t>(y.size(), 9 + 10));
}

TEST_CASE("make runs every kernel without constant tables") {
  std::vector<uint8_t> x(64), y(256);
  for (size_t i = 0; i < 64; ++i) x[i] = static_cast<uint8_t>(i);
  std::vector<float> f(64, 2.0f);
  const auto run = [&](const KernelArgs& args, std::vector<const void*> inputs) {
    y.assign(256, 0);
    make(args, nullptr, QEngine::reference).kernel->run(inputs, y.data());
    return int{y[5]};
  };
  AddArgs add{};
  add.count = 64, add.a_scale = add.b_scale = 1, add.output = {1, 0, 0, 255};
  CHECK(run(add, {x.data(), x.data()}) == 10);
  RequantizeArgs requantize{};
  requantize.rows = 64, requantize.row = requantize.output_stride = 1, requantize.input_scale = 3,
  requantize.output = {1, 0, 0, 255};
  CHECK(run(requantize, {x.data()}) == 15);
  CHECK(run(ClampArgs{64, 7, 255, CodeType::u8, {}}, {x.data()}) == 7);
  CHECK(run(QuantizeArgs{64, CodeType::u8, Rounding::real, {}, {4, 1, 0, 255}}, {f.data()}) == 9);
  CHECK(run(TransposeArgs{2, 1, {8, 8}, {1, 8}}, {x.data()}) == 40);
  Pool2dArgs pool{};
  pool.batch = pool.out_h = pool.out_w = pool.in_h = 1, pool.in_w = 2, pool.channels = 32, pool.kernel_h = 1, pool.kernel_w = 2;
  pool.stride_h = pool.stride_w = 1, pool.clamp_max = 255;
  CHECK(run(pool, {x.data()}) == 37);
  pool.kind = PoolKind::average;
  CHECK(run(pool, {x.data()}) == 21);
  std::vector<float> back(64);
  const void* inputs[] = {x.data()};
  make(DequantizeArgs{64, 1, 0.5f, CodeType::u8, {}}, nullptr, QEngine::reference).kernel->run(inputs, back.data());
  CHECK(back[5] == 2.0f);
}

TEST_CASE("a kernel that may overwrite an input gives the same bytes in its place") {
  Rng rng(11);
  Conv2dArgs conv = demo_conv(Rounding::real);
  conv.residual_scale = 0.01f, conv.residual_zero_point = 100, conv.output.inv_scale = 37.0f;
  AddArgs add{};
  add.count = 1000, add.a_scale = 0.7f, add.b_scale = 0.3f, add.a_zero_point = 40, add.output = {0.9f, 11, 0, 255};
  const auto blobs = demo_blobs(rng);
  const auto x = codes(rng, Fill::random, 3 * 20 * 18 * 16, 0, 255, 0), other = codes(rng, Fill::random, x.size(), 0, 255, 0);
  int in_place = 0;
  const auto compare = [&](const KernelArgs& args, size_t inputs) {
    const auto kernel = make(args, blobs, QEngine::reference).kernel;
    const auto n = static_cast<size_t>(output_bytes(args));
    const void* in[] = {x.data(), other.data()};
    std::vector<uint8_t> expected(n);
    kernel->run({in, inputs}, expected.data());
    for (size_t i = 0; i < inputs; ++i) {
      if (!kernel->may_overwrite(i)) continue;
      Guarded y(n);
      std::copy_n(static_cast<const uint8_t*>(in[i]), n, y.data());
      const void* on[] = {i == 0 ? y.data() : in[0], i == 1 ? y.data() : in[1]};
      kernel->run({on, inputs}, y.data());
      INFO(name_of(args) << ", input " << i);
      CHECK(y.intact());
      CHECK(y.inner() == expected);
      ++in_place;
    }
  };
  compare(conv, 2);
  compare(demo_conv(Rounding::real), 1);
  for (const Rounding r : kRoundings) {
    add.rounding = r, add.offset = -3.0f;
    add.a_multiplier = add.b_multiplier = add.output_multiplier = 1 << 30, add.a_shift = add.b_shift = 0, add.output_shift = -18;
    compare(add, 2);
  }
  compare(ClampArgs{1000, 7, 200, CodeType::u8, {}}, 1);
  compare(LookupArgs{1000, 2, CodeType::u8, CodeType::u8, {}}, 1);
  CHECK(in_place == 1 + 4 * 2 + 2);
}

TEST_CASE("sizes and work follow from the arguments") {
  const Conv2dArgs conv = demo_conv(Rounding::real);
  CHECK(macs(conv) == int64_t{3} * 10 * 9 * 24 * 9 * 8);
  CHECK(output_bytes(conv) == 3 * 10 * 9 * 24);
  LinearArgs linear{};
  linear.rows = 100000, linear.in = 300000, linear.out = 10;
  CHECK(macs(linear) == 300000000000);
  CHECK(output_bytes(linear) == 1000000);
  RequantizeArgs requantize{};
  requantize.rows = 3, requantize.row = 5, requantize.output_stride = 20;
  CHECK(macs(requantize) == 0);
  CHECK(output_bytes(requantize) == 45);
  CHECK(output_bytes(DequantizeArgs{7, 0, 1, CodeType::u8, {}}) == 28);
  CHECK(output_bytes(TransposeArgs{3, 4, {2, 3, 5}, {}}) == 120);
  CHECK(name_of(conv) == "conv2d");
  CHECK(name_of(TransposeArgs{}) == "transpose");
  CHECK(to_string(Rounding::fixed_single) == "fixed_single");
  CHECK(to_string(QEngine::reference) == "reference");
}

TEST_CASE("an empty batch runs nothing") {
  Conv2dArgs conv = demo_conv(Rounding::real);
  conv.batch = 0;
  const void* inputs[] = {nullptr};
  Rng rng(1);
  const Made made = make(conv, demo_blobs(rng), QEngine::reference);
  REQUIRE(made.kernel != nullptr);
  CHECK_NOTHROW(made.kernel->run(inputs, static_cast<void*>(nullptr)));  // touches neither buffer
}

}  // namespace
}  // namespace octet::testing

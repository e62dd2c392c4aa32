// SPDX-License-Identifier: Apache-2.0
// Reductions along any axes: values, shapes, derivatives by finite differences; codes against the float function, and against
// TensorFlow Lite's.
#include <cmath>
#include <cstdlib>
#include <filesystem>

#include "engine/model.h"
#include "io/npy.h"
#include "tests/catch.h"
#include "tests/engine/gradient_check.h"
#include "tests/kernels/fills.h"
#include "tests/skip.h"

using namespace octet;

namespace {

constexpr size_t kFunctions = kEnumNames<ReduceFn>.size();

Model one_reduction(const Reduce& op, const Shape& x) {
  Model m;
  m.add("x", Input{x});
  m.add("f", op);
  return m;
}

Tensor reduced(const Reduce& op, const Tensor& x) { return infer(one_reduction(op, x.shape()), {{x}})[0]; }

std::vector<float> floats(const Tensor& x) { return {x.data<float>().begin(), x.data<float>().end()}; }

}  // namespace

TEST_CASE("reductions have their values along any axes") {
  const Tensor x = Tensor::of<float>({2, 3}, std::vector<float>{1, -2, 3, 0.5F, 4, -5});
  const std::map<ReduceFn, std::pair<std::vector<float>, float>> expected = {
      {ReduceFn::mean, {{2.0F / 3, -0.5F / 3}, 0.25F}},
      {ReduceFn::sum, {{2, -0.5F}, 1.5F}},
      {ReduceFn::max, {{3, 4}, 4}},
      {ReduceFn::min, {{-2, -5}, -5}},
      {ReduceFn::prod, {{-6, -10}, 60}},
      {ReduceFn::l1, {{6, 9.5F}, 15.5F}},
      {ReduceFn::l2, {{3.74165739F, 6.42261629F}, 7.43303437F}},
      {ReduceFn::log_sum_exp, {{3.13284523F, 4.02987020F}, 4.37188492F}}};
  REQUIRE(expected.size() == kFunctions);
  for (const auto& [fn, values] : expected) {
    INFO(kEnumNames<ReduceFn>[static_cast<size_t>(fn)]);
    const Tensor last = reduced({fn, {1}}, x), kept = reduced({fn, {1}, true}, x), all = reduced({fn}, x);
    CHECK(last.shape() == Shape{2});
    CHECK(kept.shape() == Shape{2, 1});
    CHECK(all.shape() == Shape{});
    for (size_t i = 0; i < 2; ++i) CHECK(floats(last)[i] == Approx(values.first[i]));
    CHECK(floats(kept) == floats(last));
    CHECK(all.item() == Approx(static_cast<double>(values.second)));
  }
  const Tensor cube = Tensor::of<float>({2, 2, 2}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  CHECK(floats(reduced({ReduceFn::sum, {0, 2}}, cube)) == std::vector<float>{14, 22});
  CHECK(floats(reduced({ReduceFn::sum, {1}}, cube)) == std::vector<float>{4, 6, 12, 14});
  CHECK(reduced({ReduceFn::log_sum_exp}, Tensor::of<float>({2}, std::vector<float>{1000, 1000})).item() == Approx(1000.6931));
  for (size_t i = 0; i < kFunctions; ++i)
    CHECK(std::isnan(reduced({static_cast<ReduceFn>(i)}, Tensor::of<float>({3}, std::vector<float>{1, NAN, 2})).item()));
}

TEST_CASE("a reduction refuses axes that are not there") {
  CHECK_THROWS_WITH(one_reduction({ReduceFn::mean, {2}}, {2, 3}), "f: axis 2 of shape [2, 3]");
  CHECK_THROWS_WITH(one_reduction({ReduceFn::mean, {-1}}, {2, 3}), "f: axis -1 of shape [2, 3]");
  CHECK_THROWS_WITH(one_reduction({ReduceFn::mean, {1, 1}}, {2, 3}), "f: axis 1 is named twice");
  CHECK_THROWS_WITH(one_reduction({ReduceFn::mean, {1}}, {2, 0}), "f: no elements along the axes of shape [2, 0]");
  CHECK_THROWS_WITH(one_reduction({static_cast<ReduceFn>(9)}, {2}), "f: unknown reduction 9");
}

TEST_CASE("every reduction's derivative is that of finite differences") {
  for (size_t i = 0; i < kFunctions; ++i) {
    INFO(kEnumNames<ReduceFn>[i]);
    for (const Shape& axes : {Shape{}, Shape{1}, Shape{0, 2}})
      gradient_check::check_op(Reduce{static_cast<ReduceFn>(i), axes}, {{2, 3, 4}}, Mode::train, 1 + i, 0.3, 2);
  }
}

TEST_CASE("codes of a reduction are the nearest to its value, for any axes, parameters and rounding") {
  Generator g(7);
  int64_t compared = 0;
  for (const Rounding rounding : octet::testing::kRoundings)
    for (const ReduceFn fn : {ReduceFn::mean, ReduceFn::sum, ReduceFn::max, ReduceFn::min})
      for (const Shape& axes : {Shape{}, Shape{0}, Shape{1, 2}, Shape{3}, Shape{0, 2}, Shape{1, 3}, Shape{0, 1, 3}})
        for (int round = 0; round < 8; ++round) {
          QParams q{{0.01F + 0.05F * g.uniform()}, {0}, -1, 0, 0, 255};
          if (round % 2 == 0) q.qmin = -128, q.qmax = 127;
          q.zero_point[0] = static_cast<int32_t>(g.integer(q.qmin, q.qmax + 1));
          Tensor x =
              Tensor({1 + g.integer(0, 3), 1 + g.integer(0, 5), 1 + g.integer(0, 6), 1 + g.integer(0, 9)}, code_dtype(q)).with(q);
          for (int64_t i = 0; i < x.numel(); ++i) static_cast<uint8_t*>(x.mutable_raw())[i] = static_cast<uint8_t>(g.next32());
          const Reduce op{fn, axes, round % 4 == 0};
          const Tensor exact = reduced(op, dequantize(x));
          QParams y = q;
          if (!keeps_qparams(Op(op))) {
            const auto [lo, hi] = std::ranges::minmax(exact.data<float>());
            y = {{std::max((hi - lo) / 200, 2e-3F)}, {0}, -1, 0, -128, 127};
            y.zero_point[0] = std::clamp(-100 - static_cast<int32_t>(std::lround(lo / y.scale[0])), -128, 127);
          }
          Model m = one_reduction(op, x.shape());
          m.rounding = rounding;
          m.modules[0].out_q = {q}, m.modules[1].out_q = {y};
          REQUIRE(runs_quantized(m, 1));
          const Tensor got = infer(m, {{x}})[0];
          REQUIRE((got.shape() == exact.shape() && got.qparams() == y));
          const bool fixed = rounding == Rounding::fixed_double || rounding == Rounding::fixed_single;
          for (int64_t i = 0; i < got.numel(); ++i) {
            const int code = got.dtype() == DType::i8 ? int{got.data<int8_t>()[i]} : int{got.data<uint8_t>()[i]};
            const double real = static_cast<double>(exact.data<float>()[i]) / static_cast<double>(y.scale[0]) + y.zero_point[0];
            if (std::abs(code - std::clamp<double>(real, y.qmin, y.qmax)) > (fixed ? 0.77 : 0.503)) {
              CAPTURE(kEnumNames<ReduceFn>[static_cast<size_t>(fn)], to_string(rounding), to_string(axes), round, i, real);
              REQUIRE(code == real);
            }
            ++compared;
          }
        }
  CHECK(compared > 10'000);
}

TEST_CASE("means give TensorFlow Lite's bytes") {
  struct Row {
    const char* file;
    Reduce op;
    QParams x, y;
  };
  const auto i8 = [](float scale, int32_t zero) { return QParams{{scale}, {zero}, -1, 0, -128, 127}; };
  const Row rows[] = {{"mean_i8_0", {ReduceFn::mean, {2, 3}, true}, i8(0.05000000074505806F, -20), i8(0.05000000074505806F, -20)},
                      {"mean_i8_1", {ReduceFn::mean, {2, 3}}, i8(0.05000000074505806F, -20), i8(0.03999999910593033F, 3)}};
  const char* root = std::getenv("OCTET_MODELS");
  if (root == nullptr || !std::filesystem::exists(root)) OCTET_SKIP_CASE("no models with golden outputs");
  for (const Row& row : rows) {
    const std::string path = std::string(root) + "/tflite/made/" + row.file;
    const Tensor want = load_npy(path + ".golden.npy");
    const Tensor x = load_npy(path + ".inputs.npy").with(row.x);
    Model m = one_reduction(row.op, x.shape());
    m.rounding = Rounding::fixed_double;
    m.modules[0].out_q = {row.x}, m.modules[1].out_q = {row.y};
    const Tensor got = infer(m, {{x}})[0];
    INFO(row.file << " " << to_string(x.shape()) << " " << to_string(want.shape()));
    REQUIRE(got.numel() == want.numel());
    CHECK(std::ranges::equal(got.data<int8_t>(), want.data<int8_t>()));
  }
}

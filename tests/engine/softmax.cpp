// SPDX-License-Identifier: Apache-2.0
// Softmax: values, any axis, derivatives; codes against the float function, and against TensorFlow Lite's.
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

Model one_softmax(const Softmax& op, const Shape& x) {
  Model m;
  m.add("x", Input{x});
  m.add("f", op);
  return m;
}

QParams shares(bool i8) { return {{1.0F / 256}, {i8 ? -128 : 0}, -1, 0, i8 ? -128 : 0, i8 ? 127 : 255}; }

}  // namespace

TEST_CASE("softmax has its values along any axis, and its logarithm") {
  // Python's math module.
  const Tensor x = Tensor::of<float>({2, 3}, std::vector<float>{1, 2, 3, -1, 0, 5});
  const float last[] = {0.0900305732F, 0.244728471F, 0.665240956F, 0.00245611519F, 0.00667641331F, 0.990867471F};
  const float first[] = {0.880797078F, 0.880797078F, 0.119202922F, 0.119202922F, 0.119202922F, 0.880797078F};
  const Tensor y = infer(one_softmax({}, x.shape()), {{x}})[0], z = infer(one_softmax({0}, x.shape()), {{x}})[0];
  const Tensor log = infer(one_softmax({1, true}, x.shape()), {{x}})[0],
               half = infer(one_softmax({-1, false, 0.5}, x.shape()), {{x}})[0];
  for (int i = 0; i < 6; ++i) {
    CHECK(y.data<float>()[i] == Approx(last[i]));
    CHECK(z.data<float>()[i] == Approx(first[i]));
    CHECK(log.data<float>()[i] == Approx(std::log(last[i])));
  }
  CHECK(half.data<float>()[0] == Approx(0.186323722));
  const Tensor large = infer(one_softmax({}, {2}), {{Tensor::of<float>({2}, std::vector<float>{1000, 0})}})[0];
  CHECK(large.data<float>()[0] == 1);
  CHECK_THROWS_WITH(one_softmax({2}, {2, 3}), "f: axis 2 of shape [2, 3]");
  CHECK_THROWS_WITH(one_softmax({-1, false, 0}, {2, 3}), "f: beta 0 must be positive");
}

TEST_CASE("derivatives of softmax are those of finite differences") {
  for (const int64_t axis : {-1, 0, 1})
    for (const bool log : {false, true}) gradient_check::check_op(Softmax{axis, log, 1.5}, {{2, 3, 4}});
}

TEST_CASE("codes of softmax are the nearest to its value, within one in TensorFlow Lite's arithmetic") {
  Generator g(3);
  int64_t compared = 0;
  double worst_fixed = 0;
  for (const Rounding rounding : octet::testing::kRoundings)
    for (const int64_t n : {1, 2, 10, 257, 1001})
      for (const float scale : {0.02F, 0.1F, 0.7F})
        for (const bool i8 : {false, true}) {
          const QParams q{{scale}, {i8 ? 5 : 100}, -1, 0, i8 ? -128 : 0, i8 ? 127 : 255};
          Tensor x = Tensor({4, n}, code_dtype(q)).with(q);
          for (int64_t i = 0; i < x.numel(); ++i) static_cast<uint8_t*>(x.mutable_raw())[i] = static_cast<uint8_t>(g.next32());
          Model m = one_softmax({}, x.shape());
          m.rounding = rounding;
          m.modules[0].out_q = {q}, m.modules[1].out_q = {shares(i8)};
          REQUIRE(runs_quantized(m, 1));
          const Tensor got = infer(m, {{x}})[0], exact = infer(one_softmax({}, x.shape()), {{dequantize(x)}})[0];
          const bool fixed = rounding == Rounding::fixed_double || rounding == Rounding::fixed_single;
          for (int64_t i = 0; i < got.numel(); ++i) {
            const int code = i8 ? got.data<int8_t>()[i] + 128 : got.data<uint8_t>()[i];
            const double want = std::min(255.0, static_cast<double>(exact.data<float>()[i]) * 256), off = std::abs(code - want);
            if (fixed) worst_fixed = std::max(worst_fixed, off);
            if (off > (fixed ? 1.0 : 0.501)) {
              CAPTURE(to_string(rounding), n, scale, i8, i, want);
              REQUIRE(code == want);
            }
            ++compared;
          }
        }
  CHECK(compared > 30'000);
  CHECK(worst_fixed > 0.4);
}

TEST_CASE("softmax in a fixed rounding refuses what TensorFlow Lite has no formula for") {
  Model m = one_softmax({}, {1, 4});
  m.rounding = Rounding::fixed_double;
  m.modules[0].out_q = {shares(true)}, m.modules[1].out_q = {QParams{{0.25F}, {0}, -1, 0, -128, 127}};
  const Tensor x = Tensor::of<int8_t>({1, 4}, std::vector<int8_t>{1, 2, 3, 4}).with(shares(true));
  CHECK_THROWS_WITH(infer(m, {{x}}),
                    "f: in rounding fixed_double softmax gives codes of 1/256 from -128 on, got scale 0.25 and zero point 0");
}

TEST_CASE("softmax gives TensorFlow Lite's bytes") {
  const char* root = std::getenv("OCTET_MODELS");
  if (root == nullptr || !std::filesystem::exists(root)) OCTET_SKIP_CASE("no models with golden outputs");
  for (const auto& [file, scale] : {std::pair{"softmax_i8_0", 0.10000000149011612F}, {"softmax_i8_2", 0.019999999552965164F}}) {
    const std::string path = std::string(root) + "/tflite/made/" + file;
    const QParams q{{scale}, {5}, -1, 0, -128, 127};
    const Tensor want = load_npy(path + ".golden.npy"), x = load_npy(path + ".inputs.npy").with(q);
    Model m = one_softmax({}, x.shape());
    m.rounding = Rounding::fixed_double;
    m.modules[0].out_q = {q}, m.modules[1].out_q = {shares(true)};
    const Tensor got = infer(m, {{x}})[0];
    INFO(file);
    REQUIRE(got.numel() == want.numel());
    CHECK(std::ranges::equal(got.data<int8_t>(), want.data<int8_t>()));
  }
}

// SPDX-License-Identifier: Apache-2.0
// Norms of each sample by itself: values against sums written out, derivatives by finite differences, what they refuse.
#include <cmath>

#include "engine/model.h"
#include "tests/catch.h"
#include "tests/engine/gradient_check.h"

using namespace octet;

namespace {

Model one_norm(const Op& op, const Shape& x) {
  Model m;
  m.add("x", Input{x});
  m.add("f", op);
  return m;
}

/// Weights 1.5, 2, 2.5, … and biases -1, 0, 1, …
Model affine(const Op& op, const Shape& x) {
  Model m = one_norm(op, x);
  for (const Param& p : params_of(op)) {
    Tensor t(p.shape, DType::f32);
    for (int64_t i = 0; i < t.numel(); ++i)
      t.mutable_data<float>()[i] = p.role == Role::bias ? static_cast<float>(i - 1) : 1.5F + 0.5F * static_cast<float>(i);
    m.modules[1].params[p.name] = t;
  }
  return m;
}

/// (v - mean) / sqrt(variance + eps) over these elements, in binary64.
std::vector<double> standardized(const std::vector<double>& v, double eps) {
  double mean = 0, variance = 0;
  for (const double x : v) mean += x / static_cast<double>(v.size());
  for (const double x : v) variance += (x - mean) * (x - mean) / static_cast<double>(v.size());
  std::vector<double> y;
  for (const double x : v) y.push_back((x - mean) / std::sqrt(variance + eps));
  return y;
}

}  // namespace

TEST_CASE("layer, group, instance and rms norms and the unit length are what their formulas say") {
  Generator g(2);
  const Shape shape{2, 3, 2, 6};
  const Tensor x = randn(g, shape);
  const auto at = [&](int64_t n, int64_t p, int64_t c) { return static_cast<double>(x.data<float>()[(n * 6 + p) * 6 + c]); };
  const Tensor layer = infer(affine(LayerNorm{6, 1e-3}, shape), {{x}})[0], rms = infer(affine(RMSNorm{6, 1e-3}, shape), {{x}})[0];
  const Tensor unit = infer(one_norm(L2Normalize{}, shape), {{x}})[0];
  for (int64_t n = 0; n < 2; ++n)
    for (int64_t p = 0; p < 6; ++p) {
      std::vector<double> row;
      double squares = 0;
      for (int64_t c = 0; c < 6; ++c) row.push_back(at(n, p, c)), squares += row.back() * row.back();
      const std::vector<double> y = standardized(row, 1e-3);
      for (int64_t c = 0; c < 6; ++c) {
        const auto i = static_cast<size_t>((n * 6 + p) * 6 + c), k = static_cast<size_t>(c);
        const double weight = 1.5 + 0.5 * static_cast<double>(c);
        CHECK(layer.data<float>()[i] == Approx(y[k] * weight + static_cast<double>(c - 1)).margin(1e-5));
        CHECK(rms.data<float>()[i] == Approx(row[k] / std::sqrt(squares / 6 + 1e-3) * weight).margin(1e-5));
        CHECK(unit.data<float>()[i] == Approx(row[k] / std::sqrt(squares)).margin(1e-6));
      }
    }
  for (const int64_t groups : {1, 2, 6}) {
    const Tensor y = infer(affine(GroupNorm{groups, 6}, shape), {{x}})[0];
    const int64_t each = 6 / groups;
    for (int64_t n = 0; n < 2; ++n)
      for (int64_t group = 0; group < groups; ++group) {
        std::vector<double> all;
        for (int64_t p = 0; p < 6; ++p)
          for (int64_t c = 0; c < each; ++c) all.push_back(at(n, p, group * each + c));
        const std::vector<double> expected = standardized(all, 1e-5);
        for (int64_t p = 0; p < 6; ++p)
          for (int64_t c = 0; c < each; ++c) {
            const int64_t channel = group * each + c;
            const double want = expected[static_cast<size_t>(p * each + c)] * (1.5 + 0.5 * static_cast<double>(channel)) +
                                static_cast<double>(channel - 1);
            CHECK(y.data<float>()[static_cast<size_t>((n * 6 + p) * 6 + channel)] == Approx(want).margin(1e-5));
          }
      }
  }
  const Tensor zeros = infer(one_norm(L2Normalize{}, {3}), {{Tensor::zeros({3})}})[0];
  CHECK(zeros.data<float>()[0] == 0);
}

TEST_CASE("derivatives of norms are those of finite differences") {
  gradient_check::check_op(LayerNorm{5}, {{2, 3, 5}});
  gradient_check::check_op(LayerNorm{.features = 5, .affine = false}, {{4, 5}});
  gradient_check::check_op(GroupNorm{2, 6}, {{2, 3, 2, 6}});
  gradient_check::check_op(GroupNorm{6, 6}, {{2, 4, 6}});
  gradient_check::check_op(RMSNorm{5}, {{3, 5}});
  gradient_check::check_op(L2Normalize{}, {{3, 5}});
  gradient_check::check_op(L2Normalize{100}, {{3, 5}});  // eps alone divides
}

TEST_CASE("norms compute in float between codes, and refuse what does not fit by name") {
  CHECK(traits_of(Op(LayerNorm{4})).codes == Codes::none);
  CHECK_THROWS_WITH(one_norm(LayerNorm{4}, {2, 3}), "f: expected 4 features on the last axis, got shape [2, 3]");
  CHECK_THROWS_WITH(one_norm(LayerNorm{0}, {2, 3}), "f: features must be positive, got 0");
  CHECK_THROWS_WITH(one_norm(GroupNorm{2, 3}, {2, 3}), "f: 2 groups of 3 channels");
  CHECK_THROWS_WITH(one_norm(RMSNorm{3, -1}, {2, 3}), "f: eps must be a positive float, got -1");
  CHECK_THROWS_WITH(one_norm(L2Normalize{}, {}), "f: expected a last axis, got a scalar");
}

// SPDX-License-Identifier: Apache-2.0
// Products of two inputs: float values and derivatives against plain sums, shapes that cannot be multiplied, and codes that are the
// float product rounded.
#include <cmath>

#include "compile/program.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/engine/gradient_check.h"
#include "tests/same.h"

using namespace octet;
using Catch::Matchers::Contains;
using octet::testing::same;

namespace octet::matmul_tests {
namespace {

Model product(const Shape& a, const Shape& b, MatMul op) {
  Model m;
  m.add("a", Input{a});
  m.add("b", Input{b});
  m.add("product", op, {{0, 0}, {1, 0}});
  return m;
}

/// Element [.., i, j] of what the operator reads of a tensor, leading axes broadcast.
double element(const Tensor& t, const Shape& index, int64_t i, int64_t j, bool transposed) {
  const Shape& s = t.shape();
  int64_t at = 0;
  for (size_t axis = 0; axis + 2 < s.size(); ++axis)
    at = at * s[axis] + (s[axis] == 1 ? 0 : index[index.size() - (s.size() - 2) + axis]);
  at = (at * s[s.size() - 2] + (transposed ? j : i)) * s.back() + (transposed ? i : j);
  return static_cast<double>(t.data<float>()[static_cast<size_t>(at)]);
}

double worst_difference(const Tensor& a, const Tensor& b, const MatMul& op, const Tensor& y) {
  const int64_t k = op.transpose_a ? a.size(a.rank() - 2) : a.shape().back();
  Shape index(y.shape().size() - 2, 0);
  double worst = 0;
  for (int64_t at = 0; at < y.numel(); ++at) {
    int64_t rest = at;
    const int64_t j = rest % y.shape().back();
    rest /= y.shape().back();
    const int64_t i = rest % y.size(y.rank() - 2);
    rest /= y.size(y.rank() - 2);
    for (size_t axis = index.size(); axis-- > 0; rest /= y.size(axis)) index[axis] = rest % y.size(axis);
    double sum = 0;
    for (int64_t t = 0; t < k; ++t) sum += element(a, index, i, t, op.transpose_a) * element(b, index, t, j, op.transpose_b);
    worst = std::max(worst, std::abs(sum - static_cast<double>(y.data<float>()[static_cast<size_t>(at)])));
  }
  return worst;
}

}  // namespace

TEST_CASE("a product of two inputs is the sum of products, whatever is transposed or broadcast") {
  Generator g(4);
  const std::pair<Shape, Shape> leading[] = {
      {{}, {}}, {{3}, {3}}, {{3}, {}}, {{}, {3}}, {{2, 1, 4}, {1, 3, 4}}, {{2, 3}, {3}}, {{1, 2, 1, 2}, {3, 1, 2, 1}}};
  for (const auto& [la, lb] : leading)
    for (const MatMul op : {MatMul{}, MatMul{true, false}, MatMul{false, true}, MatMul{true, true}}) {
      Shape a = la, b = lb;
      a.push_back(op.transpose_a ? 5 : 4), a.push_back(op.transpose_a ? 4 : 5);
      b.push_back(op.transpose_b ? 6 : 5), b.push_back(op.transpose_b ? 5 : 6);
      INFO(to_string(a) << " and " << to_string(b) << ", transposed " << op.transpose_a << " " << op.transpose_b);
      const Model m = product(a, b, op);
      const std::vector<Tensor> in{randn(g, a), randn(g, b)};
      const Tensor y = infer(m, in)[0];
      REQUIRE(y.shape() == m.modules[2].nominal[0]);
      CHECK(worst_difference(in[0], in[1], op, y) < 1e-5);
      Session session(Program::bind(m), {a, b});
      CHECK(same(session.run(in)[0], y));
      gradient_check::check_op(op, {a, b});
    }
}

TEST_CASE("inputs that cannot be multiplied are refused by name") {
  CHECK_THROWS_WITH(product({4, 5}, {4, 6}, {}), Contains("product: ") && Contains("4 x 5") && Contains("4 x 6"));
  CHECK_THROWS_WITH(product({2, 4, 5}, {3, 5, 6}, {}), Contains("product: ") && Contains("leading axes"));
  CHECK_THROWS_WITH(product({5}, {5, 6}, {}), Contains("product: expected two inputs of at least two axes"));
  CHECK_THROWS_WITH(product({2, 1, 2, 1, 2, 3, 3}, {1, 2, 1, 2, 1, 3, 3}, {}), Contains("more than four axes"));
  CHECK_NOTHROW(product({2, 2, 2, 2, 2, 2, 3, 3}, {3, 3}, {}));  // walked as one
  // Sums that 32 bits do not hold.
  Model m = product({1, 33026}, {33026, 1}, {});
  for (Module& module : m.modules) module.out_q = {QParams{{0.1F}, {0}, -1, 0, 0, 255}};
  CHECK_THROWS_WITH(lower(m, 2, std::vector<Shape>{{1, 33026}, {33026, 1}}), Contains("product: sums of 33026 products"));
}

TEST_CASE("self-attention on codes follows its floats in every rounding and on every engine") {
  Model m;
  m.add("x", Input{{2, 9, 16}});
  for (const char* name : {"q", "k", "v"}) m.add(name, Linear{16, 16}, {{0, 0}});
  const auto heads = [&](const std::string& path, int from) {
    m.add(path + ".heads", Reshape{{0, 9, 4, 4}}, {{from, 0}});
    return m.add(path + ".turned", Transpose{{0, 2, 1, 3}});
  };
  const int q = heads("q", 1), k = heads("k", 2), v = heads("v", 3);
  m.add("scores", MatMul{.transpose_b = true}, {{q, 0}, {k, 0}});
  const int p = m.add("p", Softmax{});
  m.add("mixed", MatMul{}, {{p, 0}, {v, 0}});
  m.add("back", Transpose{{0, 2, 1, 3}});
  m.add("joined", Reshape{{0, 9, -1}});
  m.add("out", Linear{16, 8});
  Generator g(11);
  initialize(m, g);
  const Tensor x = randn(g, {2, 9, 16});
  const Tensor real = infer(m, {&x, 1})[0];
  for (const Rounding rounding : {Rounding::real, Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single}) {
    INFO(to_string(rounding));
    Model with = m;
    with.rounding = rounding;
    Model prepared = prepare(with, {{"", octet_qconfig()}});
    const Tensor data = randn(g, {16, 9, 16});
    calibrate(prepared, {&data, 1});
    const Model int8 = convert(prepared);
    for (const char* path : {"scores", "mixed"}) REQUIRE(runs_quantized(int8, int8.index(path)));
    const Tensor y = infer(int8, {&x, 1})[0], floats = dequantize(y);
    double error = 0, signal = 0;
    for (int64_t i = 0; i < real.numel(); ++i) {
      const double r = static_cast<double>(real.data<float>()[i]), d = static_cast<double>(floats.data<float>()[i]) - r;
      signal += r * r, error += d * d;
    }
    CHECK(std::isfinite(10 * std::log10(signal / error)));
    CHECK(10 * std::log10(signal / error) > 25);
    for (const QEngine engine : {QEngine::reference, QEngine::native, QEngine::onednn, QEngine::automatic}) {
      const auto all = qengines();
      if (std::ranges::any_of(all, [&](const QEngineInfo& e) { return e.engine == engine && !e.available; })) continue;
      Session session(Program::bind(int8, engine), {x.shape()});
      CHECK(same(session.run({&x, 1})[0], y));
    }
  }
}

}  // namespace octet::matmul_tests

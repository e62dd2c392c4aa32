// SPDX-License-Identifier: Apache-2.0
// Who reads what, and how long a value lives.
#include "engine/graph.h"

#include "tests/catch.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

/// Two inputs; "a" is read twice by one module, "sum" by two and as a model output, "tail" by nobody but as an output.
Model wired() {
  Model m;
  const int x = m.add("x", Input{{1, 2, 2, 3}}), y = m.add("y", Input{{1, 2, 2, 3}});
  const int a = m.add("a", Unary{UnaryFn::relu}, {x});
  const int twice = m.add("twice", Binary{}, {a, a});
  const int sum = m.add("sum", Binary{}, {twice, y});
  const int tail = m.add("tail", Unary{UnaryFn::relu6}, {sum});
  m.add("unread", Unary{UnaryFn::relu}, {sum});
  m.outputs = {{sum, 0}, {tail, 0}};
  return m;
}

Tensor number(float v) { return Tensor::of<float>({1}, std::vector<float>{v}); }

}  // namespace

TEST_CASE("a graph lists every reader and the last one of each value") {
  const Model m = wired();
  const Graph g(m);
  CHECK(g.end() == 7);
  CHECK(g.readers(0) == std::vector<int>{2});
  CHECK(g.readers(2) == std::vector<int>{3, 3});
  CHECK(g.readers(4) == std::vector<int>{5, 6, 7});
  CHECK(g.readers(5) == std::vector<int>{7});
  CHECK(g.readers(6).empty());
  CHECK(g.last({1, 0}) == 4);
  CHECK(g.last({2, 0}) == 3);
  CHECK(g.last({4, 0}) == g.end());
  CHECK(g.last({6, 0}) == -1);
  Model backward = m;
  backward.modules[2].inputs[0].module = 5;
  CHECK_THROWS_WITH(Graph(backward), Contains("module 5 into module 2"));
}

TEST_CASE("a value is there for its last reader and gone after it, a model output stays") {
  const Model m = wired();
  Values<Tensor> values(m, {number(1), number(2)});
  const auto first = [](const std::vector<Tensor>& t) { return t.at(0).data<float>()[0]; };
  for (int i = 0; i < 7; ++i) {
    const std::vector<Tensor> in = values.inputs(i);
    REQUIRE(in.size() == std::max<size_t>(1, m.modules[static_cast<size_t>(i)].inputs.size()));
    for (const Tensor& t : in) CHECK(t.numel() == 1);
    if (i == 1) CHECK(first(in) == 2);
    if (i == 3) CHECK((in[0].data<float>()[0] == 12 && in[1].data<float>()[0] == 12));
    if (i == 4) CHECK((in[0].data<float>()[0] == 13 && in[1].data<float>()[0] == 11));
    values.drop(i);
    values.put(i, {number(static_cast<float>(10 + i))});
    CHECK(values.of(0).size() == 1);
    CHECK((values.of(0)[0].numel() == 1) == (i < 2));
    if (i >= 1) CHECK((values.of(1)[0].numel() == 1) == (i < 4));
    if (i >= 2) CHECK((values.of(2)[0].numel() == 1) == (i < 3));
    if (i >= 4) CHECK(first(values.of(4)) == 14);
  }
  const std::vector<Tensor> outputs = values.outputs();
  REQUIRE(outputs.size() == 2);
  CHECK((first({outputs[0]}) == 14 && first({outputs[1]}) == 15));

  Values<Tensor> few(m, {number(1)}), many(m, {number(1), number(2), number(3)});
  CHECK(few.inputs(0).size() == 1);
  CHECK_THROWS_WITH(few.inputs(1), Contains("y: the model has more inputs than the 1 given"));
  CHECK(many.inputs(0).size() + many.inputs(1).size() == 2);
  CHECK_THROWS_WITH(many.outputs(), Contains("3 inputs given, it has 2"));
}

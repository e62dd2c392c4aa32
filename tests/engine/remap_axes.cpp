// SPDX-License-Identifier: Apache-2.0
// An operator in another layout computes what it computed, in that layout; those that cannot say so.
#include <algorithm>
#include <map>

#include "engine/random.h"
#include "tests/engine/operators.h"
#include "tests/same.h"

using namespace octet;
using namespace octet::testing;
using Catch::Matchers::Contains;

namespace {

Tensor in_order(const Tensor& x, const Shape& order) { return infer(network_of({Transpose{order}, {x.shape()}}), {{x}})[0]; }

/// Sums may run in another order.
bool close(const Tensor& a, const Tensor& b) {
  if (a.shape() != b.shape()) return false;
  for (int64_t i = 0; i < a.numel(); ++i)
    if (std::abs(a.data<float>()[i] - b.data<float>()[i]) > 1e-5F) return false;
  return true;
}

/// The orders of axes in which the operator exists, other than the one it has.
int compare_in_all_orders(const OperatorCase& o) {
  Generator g(3);
  const std::vector<Tensor> x = values_for(o, g);
  const auto* input = std::get_if<Input>(&o.op);
  const Shape shape = o.inputs.empty() ? network_of(o).modules.back().nominal[0] : o.inputs[0];
  const std::vector<Tensor> expected = input ? std::vector<Tensor>{} : infer(network_of(o), x);
  Shape order;
  for (size_t i = 0; i < shape.size(); ++i) order.push_back(static_cast<int64_t>(i));
  CHECK(remap_axes(o.op, AxisOrder(order)) == std::optional<Op>(o.op));
  int orders = 0;
  while (std::next_permutation(order.begin(), order.end())) {
    INFO(to_string(order));
    const std::optional<Op> moved = remap_axes(o.op, AxisOrder(order));
    if (!moved) continue;
    ++orders;
    if (input) {
      for (size_t i = 0; i < order.size(); ++i) CHECK(std::get<Input>(*moved).shape[i] == shape[static_cast<size_t>(order[i])]);
      continue;
    }
    std::vector<Tensor> y;
    OperatorCase there{*moved, {}};
    for (const Tensor& t : x) y.push_back(in_order(t, order)), there.inputs.push_back(y.back().shape());
    const std::vector<Tensor> got = infer(network_of(there), y);
    REQUIRE(got.size() == expected.size());
    for (size_t port = 0; port < got.size(); ++port) {
      const Tensor want = in_order(expected[port], order);
      CHECK((traits_of(o.op).codes == Codes::keep ? same(got[port], want) : close(got[port], want)));
    }
  }
  return orders;
}

}  // namespace

TEST_CASE("operators in another layout give what they gave, in that layout") {
  std::map<std::string, int, std::less<>> orders;
  for (const OperatorCase& o : every_operator()) {
    const std::string name(name_of(o.op));
    INFO(name);
    orders[name] = std::max(orders[name], compare_in_all_orders(o));
  }
  const int all = 23, last = 5, none = 0;  // of four axes; with the last in its place
  CHECK(orders == std::map<std::string, int, std::less<>>{{"input", all},
                                                          {"conv2d", none},
                                                          {"conv_bn2d", none},
                                                          {"conv_transpose2d", none},
                                                          {"linear", last},
                                                          {"linear_bn", last},
                                                          {"prelu", last},
                                                          {"batch_norm", last},
                                                          {"layer_norm", last},
                                                          {"group_norm", none},
                                                          {"rms_norm", last},
                                                          {"l2_normalize", last},
                                                          {"softmax", all},
                                                          {"unary", all},
                                                          {"binary", all},
                                                          {"dropout", all},
                                                          {"pool2d", none},
                                                          {"reduce", all},
                                                          {"reshape", none},
                                                          {"transpose", all},
                                                          {"split", all},
                                                          {"concat", all},
                                                          {"slice", all},
                                                          {"squeeze", none},
                                                          {"unsqueeze", none},
                                                          {"expand", all},
                                                          {"depth_to_space", none},
                                                          {"space_to_depth", none},
                                                          {"channel_shuffle", last},
                                                          {"pad", all},
                                                          {"flip", all},
                                                          {"roll", all},
                                                          {"gather", all},
                                                          {"tile", all},
                                                          {"resize_nearest", none},
                                                          {"matmul", 1},
                                                          {"resize_linear", none},
                                                          {"lp_pool2d", none},
                                                          {"custom", none},
                                                          {"where", all},
                                                          {"arg_reduce", all},
                                                          {"topk", all},
                                                          {"constant", none},
                                                          {"embedding", none}});
}

TEST_CASE("what fits no tensor of so many axes has no other layout, and an order that is none is refused") {
  const AxisOrder order({0, 3, 1, 2});
  CHECK(!remap_axes(Softmax{.axis = 4}, order));
  CHECK(!remap_axes(Split{-5, {1, 1}}, order));
  CHECK(!remap_axes(Tile{{1, 2, 3}}, order));
  CHECK(!remap_axes(Reduce{ReduceFn::sum, {1}}, order));
  CHECK(std::get<Gather>(remap_axes(Gather{-1, {0}}, order).value()).axis == 1);
  CHECK_THROWS_WITH(AxisOrder({0, 2, 2}), Contains("[0, 2, 2] is no permutation of 3 axes"));
  CHECK_THROWS_WITH(AxisOrder({1, 2}), Contains("no permutation"));
}

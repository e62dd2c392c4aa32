// SPDX-License-Identifier: Apache-2.0
// What all operators share: names, activation limits, argument checks.
#include "engine/ops.h"

#include <algorithm>

#include "engine/ops/functional.h"

namespace octet {

Op::Op() = default;
Op::Op(const Op&) = default;
Op::Op(Op&&) noexcept = default;
Op& Op::operator=(const Op&) = default;
Op& Op::operator=(Op&&) noexcept = default;
Op::~Op() = default;

bool operator==(const Op& a, const Op& b) { return static_cast<const OpVariant&>(a) == static_cast<const OpVariant&>(b); }

std::string_view name_of(const Op& op) {
  return std::visit([](const auto& o) { return o.name; }, op);
}

std::vector<Param> params_of(const Op& op) {
  return std::visit([](const auto& o) { return o.params(); }, op);
}

Traits traits_of(const Op& op) {
  return std::visit([](const auto& o) { return o.traits(); }, op);
}

Activation activation_of(const Op& op) {
  return std::visit([](const auto& o) { return o.activation(); }, op);
}

std::optional<Op> remap_axes(Op op, const AxisOrder& order) {
  if (!order.is_identity() && !std::visit([&](auto& o) { return o.remap_axes(order); }, op)) return std::nullopt;
  return op;
}

bool keeps_qparams(const Op& op) { return traits_of(op).codes == Codes::keep; }
bool may_keep_qparams(const Op& op) { return keeps_qparams(op) || traits_of(op).codes == Codes::either; }

bool is_weighted(const Op& op) {
  return std::ranges::any_of(params_of(op), [](const Param& p) { return p.role == Role::weight; });
}

Op identity() { return Unary{UnaryFn::identity}; }

const Tensor& needed(const Params& params, std::string_view name, std::string_view path) {
  const auto found = params.find(name);
  check(found != params.end(), path, ": parameter \"", name, "\" is missing; initialize or load the model first");
  return found->second;
}

void ShapeCall::expect_inputs(size_t n) const {
  check(inputs.size() == n, path, ": expected ", n, " input", n == 1 ? "" : "s", ", got ", inputs.size());
}

const Shape& ShapeCall::input(size_t i, size_t rank) const {
  check(inputs[i].size() == rank, path, ": expected an input of ", rank, " axes, got shape ", to_string(inputs[i]));
  return inputs[i];
}

void check_activation(Activation act, std::string_view path) {
  check(act.lo <= act.hi && act.lo < INFINITY && act.hi > -INFINITY, path, ": an activation between ", act.lo, " and ", act.hi);
}

void expect_param(const Params& params, std::string_view name, const Shape& shape, std::string_view path) {
  const auto found = params.find(name);
  check(found != params.end(), path, ": parameter \"", name, "\" is missing");
  check(found->second.shape() == shape, path, ": expected ", name, " of shape ", to_string(shape), ", got ",
        to_string(found->second.shape()));
}

}  // namespace octet

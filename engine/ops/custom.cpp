// SPDX-License-Identifier: Apache-2.0
// Custom: a function of the program's own, checked for what it promised.
#include "engine/ops/custom.h"

namespace octet {
namespace {

/// f(), whatever it throws with the module and the function in front.
template <class F>
auto users(std::string_view path, const CustomFunction& function, const F& f) {
  try {
    return f();
  } catch (const std::bad_alloc&) {
    throw;
  } catch (const std::exception& e) {
    fail(path, ": ", function.kind(), ": ", e.what());
  }
}

}  // namespace

bool Custom::operator==(const Custom& other) const {
  if (function == nullptr || other.function == nullptr) return function == other.function;
  return function->kind() == other.function->kind() && function->attributes() == other.function->attributes();
}

Traits Custom::traits() const {
  return {.codes = Codes::none,
          .channels = Channels::mixes,
          .part = Part::other,
          .wires = function ? function->inputs() : 1,
          .outputs = function ? function->outputs() : 1,
          .exact = function ? function->exact() : std::nullopt};
}

std::vector<Shape> Custom::shapes(const ShapeCall& call) const {
  check(function != nullptr, call.path, ": a custom operator without a function");
  check(function->outputs() > 0, call.path, ": ", function->kind(), " has ", function->outputs(), " outputs");
  call.expect_inputs(static_cast<size_t>(function->inputs()));
  const std::optional<int> exact = function->exact();
  check(!exact || (*exact >= 0 && *exact < function->inputs()), call.path, ": ", function->kind(), " wants input ",
        exact.value_or(0), " exact, it has ", function->inputs());
  const std::vector<Shape> all = users(call.path, *function, [&] { return function->shapes(call.inputs); });
  check(all.size() == static_cast<size_t>(function->outputs()), call.path, ": ", function->kind(), " gives ", all.size(),
        " shapes, it has ", function->outputs(), " outputs");
  for (const Shape& s : all) numel(s);
  return all;
}

std::vector<Var> Custom::forward(const Call& call) const {
  std::vector<Shape> given;
  for (const Var& v : call.inputs) given.push_back(v.shape());
  const std::vector<Shape> expected = shapes({call.path, given});
  const std::vector<Var> outputs = users(call.path, *function, [&] { return function->forward(call.inputs); });
  check(outputs.size() == expected.size(), call.path, ": ", function->kind(), " gave ", outputs.size(), " outputs, expected ",
        expected.size());
  for (size_t i = 0; i < outputs.size(); ++i) {
    check(outputs[i].shape() == expected[i], call.path, ": ", function->kind(), " gave output ", i, " of shape ",
          to_string(outputs[i].shape()), ", it announced ", to_string(expected[i]));
    if (!call.inputs.empty())
      check(outputs[i].dtype() == call.inputs[0].dtype(), call.path, ": ", function->kind(), " gave ",
            to_string(outputs[i].dtype()), " for ", to_string(call.inputs[0].dtype()));
  }
  return outputs;
}

}  // namespace octet

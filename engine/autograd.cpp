// SPDX-License-Identifier: Apache-2.0
// The record is a graph of nodes that own their inputs; backward() sorts it once without recursion and frees it as it goes.
#include "engine/autograd.h"

#include <new>
#include <unordered_map>
#include <utility>

#include "kernels/f32/f32.h"
#include "kernels/float_scope.h"
#include "kernels/naive/naive.h"

namespace octet {

struct Var::Node {
  Tensor value;
  std::string leaf;  // name of a leaf, else empty
  std::vector<Var> inputs;
  Vjp vjp;
  bool needs_grad = false;

  Node(Tensor v, std::string name) : value(std::move(v)), leaf(std::move(name)), needs_grad(!leaf.empty()) {}
  Node(Tensor v, std::vector<Var> in, Vjp f) : value(std::move(v)), inputs(std::move(in)), vjp(std::move(f)), needs_grad(true) {}
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() {
    // A chain of thousands of nodes must not be freed by recursion.
    std::vector<Var> pending = std::move(inputs);
    while (!pending.empty()) {
      const Var last = std::move(pending.back());
      pending.pop_back();
      if (last.node_ && last.node_.use_count() == 1)
        for (Var& v : std::exchange(last.node_->inputs, {})) pending.push_back(std::move(v));
    }
  }
};

Var::Var(std::shared_ptr<Node> node) : node_(std::move(node)) {}
Var::Var(Tensor value) : node_(std::make_shared<Node>(std::move(value), "")) {}

Var Var::leaf(std::string name, Tensor value) {
  check(!name.empty(), "Var::leaf: a leaf needs a name");
  check(value.dtype() == DType::f32 || value.dtype() == DType::f64, name, ": a leaf must be a float tensor, got ",
        to_string(value.dtype()));
  return Var(std::make_shared<Node>(std::move(value), std::move(name)));
}

Var Var::made(Tensor value, std::vector<Var> inputs, Vjp vjp) {
  for (const Var& v : inputs)
    if (v.needs_grad()) return Var(std::make_shared<Node>(std::move(value), std::move(inputs), std::move(vjp)));
  return Var(std::move(value));
}

const Tensor& Var::value() const {
  check(node_ != nullptr, "Var: empty variable");
  return node_->value;
}

bool Var::needs_grad() const { return node_ && node_->needs_grad; }

namespace {

void accumulate(Tensor& sum, Tensor grad) {
  if (sum.numel() == 0) {
    sum = std::move(grad);
    return;
  }
  check(sum.shape() == grad.shape(), "backward: gradients of shapes ", to_string(sum.shape()), " and ", to_string(grad.shape()),
        " for one variable");
  if (grad.dtype() == DType::f32)
    f32::axpby(grad.numel(), 1, grad.data<float>().data(), 1, sum.mutable_data<float>().data());
  else
    naive::axpby<double>(grad.numel(), 1, grad.data<double>().data(), 1, sum.mutable_data<double>().data());
}

}  // namespace

Grads backward(Var&& output) try {
  const FloatScope environment;
  using Node = Var::Node;
  check(output.value().numel() == 1, "backward: needs a one-element output, got ", to_string(output.shape()));
  check(output.needs_grad(), "backward: the output depends on no parameter; run forward in Mode::train");
  Grads leaves;

  // Depth-first post-order with an explicit stack: every node after all its inputs.
  std::vector<std::shared_ptr<Node>> order;
  std::unordered_map<Node*, bool> finished;
  std::vector<std::pair<std::shared_ptr<Node>, size_t>> stack{{std::move(output.node_), 0}};
  finished.emplace(stack[0].first.get(), false);
  while (!stack.empty()) {
    auto& [node, next] = stack.back();
    if (next < node->inputs.size()) {
      const std::shared_ptr<Node> input = node->inputs[next++].node_;
      if (input && input->needs_grad && finished.emplace(input.get(), false).second) stack.emplace_back(input, 0);
    } else {
      order.push_back(std::move(node));
      stack.pop_back();
    }
  }
  finished.clear();

  std::unordered_map<const Node*, Tensor> grads;
  grads[order.back().get()] = Tensor::full(order.back()->value.shape(), 1, order.back()->value.dtype());
  while (!order.empty()) {
    const std::shared_ptr<Node> node = std::move(order.back());
    order.pop_back();
    const auto found = grads.find(node.get());
    if (found == grads.end()) continue;  // no path from the output asked for this node
    Tensor grad = std::move(found->second);
    grads.erase(found);
    if (!node->leaf.empty()) {
      accumulate(leaves[node->leaf], std::move(grad));
      continue;
    }
    Needs needs;
    for (const Var& v : node->inputs) needs.push_back(v.needs_grad());
    check(node->vjp != nullptr, "backward: this graph was consumed by an earlier backward");
    std::vector<Tensor> inputs = node->vjp(grad, needs);
    check(inputs.size() == node->inputs.size(), "backward: an operation gave ", inputs.size(), " gradients for ",
          node->inputs.size(), " inputs");
    for (size_t i = 0; i < inputs.size(); ++i) {
      if (!needs[i]) continue;
      const Node* input = node->inputs[i].node_.get();
      check(inputs[i].shape() == input->value.shape(), "backward: gradient of shape ", to_string(inputs[i].shape()),
            " for a value of shape ", to_string(input->value.shape()));
      accumulate(grads[input], std::move(inputs[i]));
    }
    node->vjp = nullptr;  // frees what the closure kept
  }
  return leaves;
} catch (const std::bad_alloc&) {
  fail("backward: out of memory");
}

}  // namespace octet

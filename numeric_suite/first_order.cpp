// SPDX-License-Identifier: Apache-2.0
// One backward pass through the float model, with a zero added to every layer's output to differentiate by.
#include "numeric_suite/first_order.h"

#include <algorithm>

#include "engine/batches.h"
#include "engine/loss.h"
#include "engine/ops/functional.h"
#include "quant/runner.h"

namespace octet {

FirstOrder first_order_drops(const Pairing& pairing, const Model& quantized, std::span<const Tensor> batch, int64_t most) {
  const int64_t all = rows_of(batch);
  const bool cut = std::ranges::all_of(batch, [&](const Tensor& t) { return t.rank() > 0 && t.size(0) == all; });
  std::vector<Tensor> x(batch.begin(), batch.end());
  for (Tensor& t : x)
    if (cut) t = slice_rows(t, 0, std::min(most, all));
  Model model = pairing.reference;
  ModuleRunner floats(model), integers(quantized);
  std::vector<Tensor> error(quantized.modules.size());  // own, by quantized module
  ModuleWalk walk(integers, x);
  while (!walk.done()) {
    const int index = walk.position(), twin = pairing.counterpart[index];
    const Tensor out = walk.next()[0];
    if (twin < 0 || !out.qparams() || quantized.keeps_qparams(quantized.modules[index])) continue;
    std::vector<Tensor> in;
    for (const Tensor& t : walk.inputs()) in.push_back(dequantize(t));
    const Tensor shadow = floats.run(twin, in)[0], got = dequantize(out);
    check(got.shape() == shadow.shape(), quantized.modules[index].path, ": expected an output of shape ", to_string(shadow.shape()),
          " as in the float model, got ", to_string(got.shape()));
    Tensor e(got.shape(), DType::f32);
    const auto to = e.mutable_data<float>();
    for (int64_t i = 0; i < e.numel(); ++i) to[i] = got.data<float>()[i] - shadow.data<float>()[i];
    error[index] = std::move(e);
  }
  const Tensor target = dequantize(walk.output());

  std::vector<bool> wanted(model.modules.size());
  for (size_t i = 0; i < error.size(); ++i)
    if (error[i].numel() > 0) wanted[pairing.counterpart[i]] = true;
  Values<Var> values(model, {x.begin(), x.end()});
  for (int i = 0; i < static_cast<int>(model.modules.size()); ++i) {
    const std::string& path = model.modules[static_cast<size_t>(i)].path;
    std::vector<Var> out = run_module(model, i, values.inputs(i), Mode::eval);
    values.drop(i);
    if (wanted[static_cast<size_t>(i)])
      out[0] = add(out[0], Var::leaf(path, Tensor::zeros(out[0].shape())), Activation::none, path);
    values.put(i, std::move(out));
  }
  Var loss = mse_loss(values.outputs()[0], target);
  const double mean = loss.value().item();
  FirstOrder result{std::vector<double>(error.size()), rows_of(x)};
  if (!loss.needs_grad()) return result;  // places and truths follow no slope
  const Grads grads = backward(std::move(loss));
  for (size_t i = 0; i < error.size(); ++i) {
    const auto gradient = grads.find(quantized.modules[i].path);
    if (error[i].numel() == 0 || gradient == grads.end() || mean == 0) continue;
    double product = 0;
    for (int64_t k = 0; k < error[i].numel(); ++k)
      product += static_cast<double>(gradient->second.data<float>()[k]) * static_cast<double>(error[i].data<float>()[k]);
    result.drops[i] = -product / 2 / mean;
  }
  return result;
}

}  // namespace octet

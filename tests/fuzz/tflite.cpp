// SPDX-License-Identifier: Apache-2.0
// Fuzz target of the .tflite reader: what it reads runs, or says why it cannot.
#include "io/tflite/tflite.h"

#include "tests/fuzz/target.h"
#include "tests/tflite/small_network.h"

void octet::fuzz::run(Span bytes) {
  TfliteModel m;
  if (!accepted([&] { m = parse_tflite(bytes, "x"); }) || !testing::runs_quickly(m.model)) return;
  std::vector<Tensor> inputs;
  for (const Module& module : m.model.modules)
    if (std::holds_alternative<Input>(module.op)) inputs.push_back(Tensor::zeros(module.nominal[0]));
  try {
    infer(m.model, inputs);
  } catch (const Error&) {  // sums that can exceed 32 bits
  }
}

// SPDX-License-Identifier: Apache-2.0
// What a training step costs, and what fake quantization adds to it.
#include "bench/cases.h"
#include "bench/race.h"
#include "engine/loss.h"
#include "engine/optimizer.h"
#include "kernels/parallel.h"
#include "quant/quantize.h"

using namespace octet;

namespace {

bench::Variant step(const std::string& name, Model model, const bench::Case& c) {
  auto state = std::make_shared<std::pair<Model, Sgd>>(std::move(model), Sgd({.momentum = 0.9}));
  return {name, [state, &c] {
            auto& [m, sgd] = *state;
            Var loss = cross_entropy(forward(m, {&c.images, 1}, Mode::train)[0], c.labels);
            sgd.step(m, backward(std::move(loss)), 1e-3);
          }};
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_benchmark(
      argc, argv, "Training step", "Times float and quantization-aware training steps.",
      [](const bench::Arguments& args, bench::Report& report) {
        for (const bench::Case& c : bench::training_cases()) {
          if (!args.wants(c.name)) continue;
          for (const int threads : args.threads) {
            const ThreadsScope scope(threads);
            const Model fused = fuse(c.model, Aim::training);
            report.add("training step",
                       {{"net", c.name}, {"batch", std::to_string(c.images.size(0))}, {"threads", std::to_string(threads)}},
                       bench::race({step("float", c.model, c), step("QAT octet", prepare(fused, {{"", octet_qat_qconfig()}}), c),
                                    step("QAT x86", prepare(fused, {{"", get_default_qat_qconfig("x86")}}), c)},
                                   args.race));
          }
        }
      });
}

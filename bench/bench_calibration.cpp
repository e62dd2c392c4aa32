// SPDX-License-Identifier: Apache-2.0
// What observers add to a float forward pass.
#include "bench/cases.h"
#include "bench/race.h"
#include "kernels/parallel.h"
#include "quant/quantize.h"

using namespace octet;

namespace {

bench::Variant pass(const std::string& name, Model model, const bench::Case& c, Mode mode) {
  auto state = std::make_shared<Model>(std::move(model));
  return {name, [state, &c, mode] { forward(*state, {&c.images, 1}, mode); }};
}

}  // namespace

int main(int argc, char** argv) {
  return bench::run_benchmark(
      argc, argv, "Calibration", "Times a calibration pass with each observer against the float forward pass.",
      [](const bench::Arguments& args, bench::Report& report) {
        for (const bench::Case& c : bench::training_cases()) {
          if (!args.wants(c.name)) continue;
          for (const int threads : args.threads) {
            const ThreadsScope scope(threads);
            const Model fused = fuse(c.model, Aim::inference);
            report.add("calibration forward",
                       {{"net", c.name}, {"batch", std::to_string(c.images.size(0))}, {"threads", std::to_string(threads)}},
                       bench::race({pass("float", fused, c, Mode::eval),
                                    pass("min-max", prepare(fused, {{"", default_per_channel_qconfig()}}), c, Mode::calibrate),
                                    pass("histogram", prepare(fused, {{"", octet_qconfig()}}), c, Mode::calibrate)},
                                   args.race));
          }
        }
      });
}

// SPDX-License-Identifier: Apache-2.0
// octet plan: what a model costs on a device, layer by layer, and whether it fits.
#include <cstdio>
#include <memory>

#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"

namespace octet::cli {

void Planning::add(CLI::App& command) {
  command.add_option("model", model, "converted model, as save_model writes it")->required();
  command.add_option("--target", target, "kernels the image is for")
      ->capture_default_str()
      ->check(CLI::IsMember({"portable", "cortex-m4", "cortex-m7", "cortex-m55"}));
  command.add_flag("--float-inputs", float_inputs, "the device quantizes its inputs");
  command.add_flag("--float-outputs", float_outputs, "the device dequantizes its outputs");
  command.add_flag("--no-names", no_names, "leave layer names out of the image");
  command.add_option("--batch", batch, "inputs at once")->check(whole_number(1, 1 << 20))->capture_default_str();
  command.add_option("--ram-budget", ram, "most bytes of arena")->check(whole_number());
  command.add_option("--flash-budget", flash, "most bytes of image")->check(whole_number());
}

FirmwarePlan Planning::plan() const {
  FirmwareOptions options;
  options.float_inputs = float_inputs;
  options.float_outputs = float_outputs;
  options.layer_names = !no_names;
  if (target == "cortex-m55") options.target = FirmwareTarget::cortex_m55;
  if (target == "cortex-m4" || target == "cortex-m7") options.target = FirmwareTarget::cortex_m4;
  const Model loaded = open_model(model);
  options.input_shapes = input_shapes(loaded, batch);  // not the batch it was trained with
  try {
    return plan_firmware(loaded, options);
  } catch (const Error& e) {
    fail(model, ": ", e.what());
  }
}

void add_plan(CLI::App& app) {
  CLI::App* command = app.add_subcommand("plan", "print arena, scratch, MACs and flash of a model, layer by layer");
  auto options = std::make_shared<Planning>();
  options->add(*command);
  command->callback([options] {
    const FirmwarePlan plan = options->plan();
    std::fputs(to_table(plan).c_str(), stdout);
    check_budget(plan, options->ram, options->flash);
  });
}

}  // namespace octet::cli

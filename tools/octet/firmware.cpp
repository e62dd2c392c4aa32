// SPDX-License-Identifier: Apache-2.0
// octet firmware: what a model costs on a device, whether it fits, and its image as bytes and as C source.
#include "tools/octet/firmware.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>

#include "engine/quantize.h"
#include "io/image.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/running.h"
#include "tools/octet/samples.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

struct Making {
  std::string model, target = "portable", rounding, folder, name = "model", emit = "all";
  bool float_inputs = false, float_outputs = false, no_names = false;
  int64_t ram = 0, flash = 0, batch = 1;
  std::vector<std::string> data;
  Results results;
};

FirmwareTarget target_of(const std::string& name) {
  if (name == "cortex-m55") return FirmwareTarget::cortex_m55;
  return name == "portable" ? FirmwareTarget::portable : FirmwareTarget::cortex_m4;
}

Json plan_json(const Making& o, const FirmwarePlan& plan, size_t image_bytes) {
  Json layers = Json::array();
  for (const FirmwareStep& s : plan.steps) {
    Json layer{
        {"path", s.path},       {"kernel", name_of(s.args)},   {"alive_bytes", s.live_bytes}, {"scratch_bytes", s.scratch_bytes},
        {"macs", macs(s.args)}, {"flash_bytes", s.flash_bytes}};
    if (!s.why_not.empty()) layer["why_reference"] = s.why_not;
    layers.push_back(std::move(layer));
  }
  return {{"model", o.model},
          {"target", o.target},
          {"rounding", std::string(to_string(plan.rounding))},
          {"image_bytes", image_bytes},
          {"arena_bytes", plan.arena_bytes},
          {"lower_bound", plan.lower_bound},
          {"optimal", plan.optimal},
          {"scratch_bytes", plan.scratch_bytes},
          {"operators", operators(plan)},
          {"layers", layers}};
}

void make_firmware(const Making& o) {
  constexpr uint64_t kSeed = 1;
  constexpr int64_t kRows = 32;
  std::vector<std::string> written{o.results.file()};
  const std::string base = o.folder + "/" + o.name;
  const bool image = o.emit != "c", source = o.emit != "image";
  if (!o.folder.empty()) {
    tools::make_output_folder(o.folder);
    if (image) written.push_back(base + ".octi");
    if (source) written.insert(written.end(), {base + ".c", base + ".h"});
    written.push_back(base + ".txt");
  }
  tools::check_outputs(written, {o.model});
  SampleOptions options;
  options.files = o.data;
  const SampleFiles files(options);
  Model model = open_model(o.model);
  std::string text;
  Json change;
  if (!o.rounding.empty() && device_rounding(o.rounding) != model.rounding) {
    const std::vector<Tensor> rows =
        o.data.empty() ? random_inputs(model, usable_batch(model, kRows), kSeed) : files.fit(model, o.model).inputs;
    const RoundingChange c = change_rounding(model, device_rounding(o.rounding), rows, o.model);
    text += described(c, o.data.empty() ? "random inputs" : "the data");
    change = to_json(c);
  }
  FirmwareOptions how;
  how.float_inputs = o.float_inputs, how.float_outputs = o.float_outputs, how.layer_names = !o.no_names;
  how.target = target_of(o.target);
  const FirmwarePlan plan = plan_of(model, how, o.model, o.batch);
  const std::string table = to_table(plan);
  try {
    check_budget(plan, o.ram, o.flash);
  } catch (const Error& e) {
    fail(o.model, ": ", e.what());
  }
  const Bytes bytes = image_bytes(plan);
  Json json = plan_json(o, plan, bytes.size());
  if (!change.is_null()) json["rounding_change"] = change;
  text += table;
  const std::string summary = fmt::format("image {} bytes, arena {} bytes, operators: {}\n", bytes.size(), plan.arena_bytes,
                                          fmt::join(operators(plan), " "));
  text += summary;
  if (!o.folder.empty()) {
    if (image) write_bytes(base + ".octi", bytes);
    if (source) {
      const ImageSource c = image_source(plan, o.name);
      write_text(base + ".h", c.h);
      write_text(base + ".c", c.c);
    }
    write_text(base + ".txt", table + summary);
  }
  o.results.show(text, json);
  for (size_t i = 1; i < written.size(); ++i) o.results.note("wrote " + written[i]);
}

}  // namespace

Rounding device_rounding(const std::string& name) {
  for (const Rounding r : {Rounding::fixed_double, Rounding::fixed_single})
    if (name == to_string(r)) return r;
  return Rounding::real;
}

RoundingChange change_rounding(Model& model, Rounding rounding, std::span<const Tensor> inputs, const std::string& name) {
  RoundingChange c{
      .from = std::string(to_string(model.rounding)), .to = std::string(to_string(rounding)), .rows = inputs[0].size(0)};
  const std::vector<Tensor> before = RowRunner(model, {}, name).run(inputs);
  model.rounding = rounding;
  const std::vector<Tensor> after = RowRunner(model, {}, name).run(inputs);
  for (size_t k = 0; k < before.size(); ++k) {
    if (!before[k].qparams()) continue;
    const Tensor a = before[k].without_qparams().to(DType::i32), b = after[k].without_qparams().to(DType::i32);
    for (size_t i = 0; i < a.data<int32_t>().size(); ++i) {
      const int32_t d = std::abs(a.data<int32_t>()[i] - b.data<int32_t>()[i]);
      c.changed += d != 0;
      c.worst = std::max(c.worst, d);
    }
    c.codes += a.numel();
  }
  return c;
}

std::string described(const RoundingChange& c, const std::string& data) {
  return fmt::format("rounding {} in place of {}: {} of {} output codes change on {} rows of {}, by {} at most\n", c.to, c.from,
                     c.changed, c.codes, c.rows, data, c.worst);
}

Json to_json(const RoundingChange& c) {
  return {{"from", c.from}, {"to", c.to}, {"rows", c.rows}, {"codes", c.codes}, {"changed", c.changed}, {"worst", c.worst}};
}

FirmwarePlan plan_of(const Model& model, FirmwareOptions options, const std::string& name, int64_t batch) {
  check(model.rounding != Rounding::int_bias, name,
        ": its rounding is int_bias, which no device computes; --rounding fixed_double or "
        "another re-lowers it and says how many codes change");
  try {
    options.input_shapes = input_shapes(model, batch);  // not the batch it was trained with
    return plan_firmware(model, options);
  } catch (const Error& e) {
    fail(name, ": ", e.what());
  }
}

void add_firmware(CLI::App& app) {
  CLI::App* verb = add_verb(app, "firmware", "print what a model costs on a device, check budgets, write its image and C source",
                            {"octet firmware int8.octet --target cortex-m4 --ram-budget 20000 --flash-budget 60000",
                             "octet firmware model.tflite --target cortex-m55 -o firmware",
                             "octet firmware int8.octet --rounding fixed_single --data images.npy -o firmware"});
  const auto o = std::make_shared<Making>();
  add_model(*verb, o->model, "converted model, or an int8 TensorFlow Lite file");
  verb->add_option("--target", o->target, "kernels the image is for")
      ->capture_default_str()
      ->check(CLI::IsMember({"portable", "cortex-m4", "cortex-m7", "cortex-m55"}));
  verb->add_option("-o,--output", o->folder, "folder for NAME.octi (the image), NAME.c, NAME.h and NAME.txt (the table)")
      ->type_name("DIR");
  verb->add_option("--name", o->name, "NAME: of the files, and prefix of the C names")->capture_default_str();
  verb->add_option("--emit", o->emit, "which of them: all, image, or c")
      ->check(CLI::IsMember({"all", "image", "c"}))
      ->capture_default_str();
  verb->add_option("--batch", o->batch, "inputs at once")->check(whole_number(1, 1 << 20))->capture_default_str();
  verb->add_option("--ram-budget", o->ram, "most bytes of arena")->check(whole_number());
  verb->add_option("--flash-budget", o->flash, "most bytes of image")->check(whole_number());
  verb->add_option("--rounding", o->rounding, "compute in another rounding than the model's, and print how many codes change")
      ->check(CLI::IsMember(kDeviceRoundings));
  verb->add_option("--data", o->data, "rows to count them on (.npy, one file an input; default: 32 random ones)")
      ->type_name("FILE");
  verb->add_flag("--float-inputs", o->float_inputs, "the device quantizes its inputs");
  verb->add_flag("--float-outputs", o->float_outputs, "the device dequantizes its outputs");
  verb->add_flag("--no-names", o->no_names, "leave layer names out of the image");
  o->results.add(*verb);
  verb->callback([o] { make_firmware(*o); });
}

}  // namespace octet::cli

// SPDX-License-Identifier: Apache-2.0
// octet verify: a model on a simulated board against the host, layer by layer, and what it costs there.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "quant/pairing.h"
#include "tools/octet/arguments.h"
#include "tools/octet/board.h"
#include "tools/octet/commands.h"
#include "tools/octet/firmware.h"
#include "tools/octet/samples.h"
#include "tools/octet/verb.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

struct Verifying {
  std::string model, board = "cortex-m4", rounding, folder = "octet-verify", sources;
  SampleOptions samples;
  int64_t most = 4;
  Results results;
};

void verify(const Verifying& o) {
  std::vector<std::string> read = o.samples.files;
  read.push_back(o.model);
  tools::check_outputs({o.results.file()}, read);
  const SampleFiles files(o.samples);
  Model model = open_model(o.model);
  check(is_quantized(model), o.model, ": is a float model; a board needs a converted one (octet quantize --rounding fixed_double)");
  const Samples samples = files.fit(model, o.model);
  std::vector<Tensor> rows;
  for (const Tensor& t : samples.inputs) rows.push_back(slice_rows(t, 0, std::min(o.most, t.size(0))));
  const std::string sources = source_folder(o.sources);
  require_board_tools(o.board);
  std::string text;
  Json change;
  if (!o.rounding.empty() && device_rounding(o.rounding) != model.rounding) {
    const RoundingChange c = change_rounding(model, device_rounding(o.rounding), samples.inputs, o.model);
    text += described(c, "the data");
    change = to_json(c);
  }
  tools::make_output_folder(o.folder);
  Bar bar("verify", 1, static_cast<double>(rows[0].size(0)));
  bar.update(0, "building, then under QEMU");
  const BoardResult r = run_on_board(model, rows, o.board, o.folder, sources, o.model);
  bar.update(1);
  size_t width = 5;
  for (const BoardResult::Layer& l : r.layers) width = std::max(width, l.path.size());
  int64_t sum = 0;
  for (const BoardResult::Layer& l : r.layers) sum += l.instructions;
  text += fmt::format("{:<{}} {:>14} {:>7}\n", "layer", width, "instructions", "share");
  Json layers = Json::array();
  for (const BoardResult::Layer& l : r.layers) {
    text += fmt::format("{:<{}} {:>14} {:>5.1f} %\n", l.path, width, l.instructions,
                        100.0 * static_cast<double>(l.instructions) / static_cast<double>(std::max<int64_t>(sum, 1)));
    layers.push_back({{"path", l.path}, {"instructions", l.instructions}});
  }
  text += fmt::format("{}, rounding {}: {} instructions a run, {} to open, .text {}, .rodata {}, RAM {}, stack {} bytes\n", o.board,
                      to_string(model.rounding), r.instructions, r.open, r.text, r.rodata, r.ram, r.stack);
  text += fmt::format("{} of {} layer checksums of {} samples equal the host's{}\n", r.equal, r.of, rows[0].size(0),
                      r.first_other.empty() ? "" : "; the first other: " + r.first_other);
  Json json{{"model", o.model},
            {"board", o.board},
            {"rounding", std::string(to_string(model.rounding))},
            {"samples", rows[0].size(0)},
            {"equal", r.equal},
            {"of", r.of},
            {"instructions", r.instructions},
            {"open_instructions", r.open},
            {"text_bytes", r.text},
            {"rodata_bytes", r.rodata},
            {"ram_bytes", r.ram},
            {"stack_bytes", r.stack},
            {"layers", layers}};
  if (!r.first_other.empty()) json["first_other"] = r.first_other;
  if (!change.is_null()) json["rounding_change"] = change;
  o.results.show(text, json);
  if (r.equal != r.of) throw Finished{kErrorStatus};
}

}  // namespace

void add_verify(CLI::App& app) {
  CLI::App* verb =
      add_verb(app, "verify", "run a model on a simulated board and compare every layer with the host; count instructions",
               {"octet verify int8.octet --board cortex-m4 --data x.npy",
                "octet verify model.tflite --board cortex-m55 --data x.npy --codes --samples 1"},
               "1 also where a layer differs");
  const auto o = std::make_shared<Verifying>();
  add_model(*verb, o->model, "converted model, or an int8 TensorFlow Lite file");
  o->samples.add(*verb, "data,--data", "arrays (.npy), pictures, or folders of either; one of them for each input");
  verb->add_option("--board", o->board, "the board that QEMU is to be")->check(CLI::IsMember(kBoards))->capture_default_str();
  verb->add_option("--samples", o->most, "rows to run")->check(whole_number(1, 1000))->capture_default_str();
  verb->add_option("--rounding", o->rounding, "compute in another rounding than the model's, and print how many codes change")
      ->check(CLI::IsMember(kDeviceRoundings));
  verb->add_option("-o,--output", o->folder, "folder for what is built; kept, so that the next run is faster")
      ->type_name("DIR")
      ->capture_default_str();
  verb->add_option("--sources", o->sources, "octet's sources (default: those that this program was built from)")->type_name("DIR");
  o->results.add(*verb);
  verb->callback([o] { verify(*o); });
}

}  // namespace octet::cli

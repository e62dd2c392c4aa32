// SPDX-License-Identifier: Apache-2.0
// octet check: a model's outputs against outputs that are known to be right, code by code.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <memory>

#include "engine/quantize.h"
#include "io/npy.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/running.h"
#include "tools/octet/verb.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

namespace fs = std::filesystem;

struct Checking {
  std::vector<std::string> paths, inputs;
  std::string golden, tolerance = "1e-5";
  bool strict = false;
  Running running;
  Results results;
};

struct Case {
  std::string model, golden;
  std::vector<std::string> inputs;
};

struct Verdict {
  enum class Kind { pass, wrong, refused } kind = Kind::pass;
  std::string words;
  int64_t values = 0, differ = 0;
  double worst = 0;  // codes, or a float's difference
};

/// NAME.tflite (or .octet, .safetensors) with NAME.golden.npy and NAME.inputs.npy, or NAME.inputs0.npy, NAME.inputs1.npy, …
std::vector<Case> cases_in(const std::string& folder) {
  std::vector<Case> cases;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    const std::string ending = entry.path().extension().string();
    if (!entry.is_regular_file() || (ending != ".tflite" && ending != ".octet" && ending != ".safetensors")) continue;
    Case c{.model = entry.path().string(), .golden = {}, .inputs = {}};
    const std::string base = fs::path(entry.path()).replace_extension().string();
    c.golden = base + ".golden.npy";
    if (!fs::exists(c.golden)) continue;
    if (fs::exists(base + ".inputs.npy")) c.inputs.push_back(base + ".inputs.npy");
    for (int i = 0; c.inputs.size() == static_cast<size_t>(i) && fs::exists(base + fmt::format(".inputs{}.npy", i)); ++i)
      c.inputs.push_back(base + fmt::format(".inputs{}.npy", i));
    cases.push_back(std::move(c));
  }
  std::ranges::sort(cases, {}, &Case::model);
  check(!cases.empty(), folder, ": no model with a file NAME.golden.npy beside it in this folder");
  return cases;
}

/// The array as one value an input for every sample: of the tensor's own shape behind an axis of samples.
Tensor sample_of(const Tensor& all, int64_t index) {
  Shape own(all.shape().begin() + 1, all.shape().end());
  return slice_rows(all, index, index + 1).reshape(own);
}

/// Integers for an input of codes are its codes; all else are values.
Tensor as_input(const Tensor& t, const Module& input) {
  const auto& q = input.out_q;
  if (!q.empty() && q[0] && t.dtype() == code_dtype(*q[0])) return t.with(*q[0]);
  return t.to(DType::f32);
}

void compare(const Tensor& golden, const Tensor& got, double least, Verdict& v) {
  check(golden.numel() == got.numel(), "the output has shape ", to_string(got.shape()), ", the golden sample has ",
        to_string(golden.shape()));
  const bool codes = got.qparams().has_value() && golden.dtype() == got.dtype();
  const Tensor a = codes ? golden.to(DType::f64) : golden.to(DType::f32).to(DType::f64);
  const Tensor b = codes ? got.without_qparams().to(DType::f64) : dequantize(got).to(DType::f64);
  for (size_t i = 0; i < a.data<double>().size(); ++i) {
    const double d = std::abs(a.data<double>()[i] - b.data<double>()[i]);
    const bool differs = !(d <= (codes ? 0 : least));  // what is no number differs
    v.differ += differs;
    v.worst = std::isnan(d) ? INFINITY : std::max(v.worst, d);
  }
  v.values += golden.numel();
}

Verdict judge(const Case& c, const Checking& o) {
  Verdict v;
  try {
    check(!c.inputs.empty(), "no inputs: there is no NAME.inputs.npy or NAME.inputs0.npy beside it");
    const OpenedModel opened = open_file(c.model);
    const Model& model = opened.model;
    std::vector<const Module*> inputs;
    for (const Module& m : model.modules)
      if (std::holds_alternative<Input>(m.op)) inputs.push_back(&m);
    const size_t wanted = opened.places.size();
    check(wanted == c.inputs.size(), "has ", wanted, wanted == 1 ? " input, " : " inputs, ", c.inputs.size(),
          c.inputs.size() == 1 ? " file was given" : " files were given");
    std::vector<Tensor> data(inputs.size());
    for (size_t i = 0; i < wanted; ++i) {
      if (opened.places[i] < 0) continue;  // it says a shape that the file says, too
      Tensor& t = data[static_cast<size_t>(opened.places[i])] = load_npy(c.inputs[i]);
      check(t.rank() > 0 && t.size(0) > 0, c.inputs[i], ": expected an axis of samples first, got shape ", to_string(t.shape()));
    }
    for (const Tensor& t : data)
      check(t.size(0) == data[0].size(0), c.model, ": one input has ", data[0].size(0), " samples, another ", t.size(0));
    const Tensor golden = load_npy(c.golden);
    check(golden.rank() > 0 && golden.size(0) == data[0].size(0) && golden.size(0) > 0, c.golden, ": has shape ",
          to_string(golden.shape()), ", the inputs have ", data[0].size(0), " samples");
    const std::shared_ptr<const Program> program = Program::bind(model, o.running.qengine());
    std::optional<Session> session;
    const Tensor values = golden.to(DType::f64);
    double largest = 0;
    for (const double x : values.data<double>()) largest = std::max(largest, std::abs(x));
    for (int64_t i = 0; i < golden.size(0); ++i) {
      std::vector<Tensor> in;
      std::vector<Shape> shapes;
      for (size_t k = 0; k < data.size(); ++k)
        shapes.push_back(in.emplace_back(as_input(sample_of(data[k], i), *inputs[k])).shape());
      if (i == 0) session.emplace(program, shapes);
      compare(sample_of(golden, i), session->run(in)[0], number_of(o.tolerance) * largest, v);
    }
  } catch (const std::exception& e) {
    std::string reason = e.what();
    if (reason.starts_with(c.model + ": ")) reason.erase(0, c.model.size() + 2);
    return {.kind = Verdict::Kind::refused, .words = reason};
  }
  if (v.differ > 0) {
    v.kind = Verdict::Kind::wrong;
    v.words = fmt::format("max-diff {:.6g}, {} of {} values differ", v.worst, v.differ, v.values);
  } else {
    v.words = fmt::format("{} values", v.values);
  }
  return v;
}

void run_check(const Checking& o) {
  std::vector<Case> cases;
  std::error_code unknown;
  if (!o.inputs.empty() || !o.golden.empty()) {
    if (o.inputs.empty() || o.golden.empty()) throw CLI::RequiredError(o.golden.empty() ? "--golden" : "--inputs");
    if (o.paths.size() != 1)
      throw CLI::ValidationError("--inputs", "is for one model, " + std::to_string(o.paths.size()) + " are given");
    cases.push_back({o.paths[0], o.golden, o.inputs});
  }
  for (size_t i = 0; i < o.paths.size() && o.golden.empty(); ++i) {
    check(fs::exists(o.paths[i], unknown), o.paths[i], ": there is no such folder or model");
    if (!fs::is_directory(o.paths[i], unknown))
      throw CLI::ValidationError("path", o.paths[i] + " is no folder: a model needs --inputs and --golden");
    for (Case& c : cases_in(o.paths[i])) cases.push_back(std::move(c));
  }
  std::vector<std::string> read;
  for (const Case& c : cases) {
    read.push_back(c.model), read.push_back(c.golden);
    read.insert(read.end(), c.inputs.begin(), c.inputs.end());
  }
  tools::check_outputs({o.results.file()}, read);
  o.running.apply();
  std::array<int, 3> counts{};
  constexpr std::array kWords{"PASS", "WRONG", "REFUSED"};
  Json list = Json::array();
  for (const Case& c : cases) {
    const Verdict v = judge(c, o);
    const auto kind = static_cast<size_t>(v.kind);
    ++counts.at(kind);
    o.results.note(fmt::format("{} {}: {}", kWords.at(kind), c.model, v.words));
    tools::require_output();
    Json said{{"model", c.model}, {"verdict", kWords.at(kind)}, {"words", v.words}};
    if (v.kind != Verdict::Kind::refused)
      said.update({{"values", v.values}, {"differ", v.differ}, {"max_diff", json_number(v.worst)}});
    list.push_back(std::move(said));
  }
  o.results.show(fmt::format("PASS {} WRONG {} REFUSED {}\n", counts[0], counts[1], counts[2]),
                 {{"cases", list}, {"pass", counts[0]}, {"wrong", counts[1]}, {"refused", counts[2]}});
  if (counts[1] > 0 || (o.strict && counts[2] > 0)) throw Finished{kErrorStatus};
}

}  // namespace

void add_check(CLI::App& app) {
  CLI::App* verb = add_verb(app, "check", "compare a model's outputs with golden ones, sample by sample, codes exactly",
                            {"octet check model.tflite --inputs x.npy --golden y.npy", "octet check folder_of_models"},
                            "1 also where a case is WRONG, or with --strict REFUSED");
  const auto o = std::make_shared<Checking>();
  verb->add_option("paths", o->paths,
                   "a model, or folders with cases: NAME.tflite or NAME.octet, NAME.inputs.npy (or NAME.inputs0.npy, "
                   "NAME.inputs1.npy, …), NAME.golden.npy")
      ->required()
      ->type_name("PATH");
  verb->add_option("--inputs", o->inputs,
                   "one .npy file an input: an axis of samples, then the tensor's own; integers for an input of codes are codes")
      ->type_name("FILE");
  verb->add_option("--golden", o->golden, "the first output for every sample, in the same form")->type_name("FILE");
  verb->add_option("--tolerance", o->tolerance, "of float outputs, as a share of the largest golden value")
      ->check(finite_number(false))
      ->capture_default_str();
  verb->add_flag("--strict", o->strict, "a refused case is a failure, too");
  o->running.add(*verb, "");
  o->results.add(*verb);
  verb->callback([o] { run_check(*o); });
}

}  // namespace octet::cli

// SPDX-License-Identifier: Apache-2.0
// Recipes read, written and followed.
#include "tools/octet/recipe.h"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>

#include "io/file.h"
#include "io/json.h"
#include "quant/correct_bias.h"
#include "quant/equalize.h"
#include "quant/observers/histogram.h"
#include "quant/observers/range.h"
#include "tools/octet/arguments.h"

namespace octet::cli {
namespace {

struct Preset {
  const char* name;
  std::function<QConfig()> make;
};

const std::vector<Preset>& presets() {
  static const std::vector<Preset> list{
      {"octet", octet_qconfig},
      {"device", octet_device_qconfig},
      {"16x8", octet_16x8_qconfig},
      {"x86", [] { return get_default_qconfig("x86"); }},
      {"fbgemm", [] { return get_default_qconfig("fbgemm"); }},
      {"onednn", [] { return get_default_qconfig("onednn"); }},
      {"qnnpack", [] { return get_default_qconfig("qnnpack"); }},
      {"symmetric_qnnpack", default_per_channel_symmetric_qnnpack_qconfig},
  };
  return list;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& p : presets()) names.emplace_back(p.name);
  return names;
}

const std::vector<std::string> kObservers{"histogram", "min_max", "moving_average"};
constexpr std::array kRoundings{Rounding::real, Rounding::int_bias, Rounding::fixed_double, Rounding::fixed_single};

std::vector<std::string> rounding_names() {
  std::vector<std::string> names;
  for (const Rounding r : kRoundings) names.emplace_back(to_string(r));
  return names;
}

ObserverSpec spec_of(const Observer& observer) {
  if (const auto* range = dynamic_cast<const RangeObserver*>(&observer)) return range->spec();
  return dynamic_cast<const HistogramObserver&>(observer).spec();
}

std::unique_ptr<Observer> observer_of(const std::string& name, const ObserverSpec& spec) {
  if (name == "min_max") return std::make_unique<MinMaxObserver>(spec);
  if (name == "moving_average") return std::make_unique<MovingAverageMinMaxObserver>(spec);
  return std::make_unique<HistogramObserver>(spec);
}

/// The hook with another observer of the same codes.
FakeQuantize watched_by(const FakeQuantize& hook, std::unique_ptr<Observer> observer) {
  FakeQuantize other(std::move(observer), hook.observe, hook.round);
  other.guard = hook.guard;
  return other;
}

QConfig qconfig_of(const Recipe& r) {
  const auto preset = std::ranges::find(presets(), r.preset, &Preset::name);
  QConfig config = preset->make();
  if (!r.observer.empty())
    config.activation = watched_by(*config.activation, observer_of(r.observer, spec_of(config.activation->observer())));
  if (r.per_tensor) {
    ObserverSpec spec = spec_of(config.weight->observer());
    spec.scheme = QScheme::per_tensor_symmetric;
    config.weight = watched_by(*config.weight, std::make_unique<MinMaxObserver>(spec));
  }
  return config;
}

/// "name", one of `names`.
std::string one_of(const json::Value& value, const std::vector<std::string>& names, const std::string& where) {
  const std::string& name = json::string(value, where);
  check(std::ranges::count(names, name) > 0, where, ": unknown value \"", name, "\"", did_you_mean(name, names));
  return name;
}

}  // namespace

Json to_json(const Recipe& r) {
  return {{"preset", r.preset},
          {"observer", r.observer.empty() ? Json() : Json(r.observer)},
          {"rounding", r.rounding},
          {"per_tensor", r.per_tensor},
          {"equalize", r.equalize},
          {"bias_correct", r.bias_correct},
          {"keep_float", r.keep_float},
          {"samples", r.samples},
          {"seed", r.seed}};
}

Recipe read_recipe(const std::string& path) {
  constexpr uint64_t kMostBytes = 1 << 20;
  constexpr int kDepth = 4;
  const Bytes bytes = read_file(path, kMostBytes);
  const json::Value root = json::parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, path, kDepth);
  json::expect_object(
      root, {"preset", "observer", "rounding", "per_tensor", "equalize", "bias_correct", "keep_float", "samples", "seed"}, path);
  Recipe r;
  const auto at = [&](const char* key) { return path + ": " + key; };
  const auto has = [&](const char* key) { return root.contains(key) && !root[key].is_null(); };
  if (has("preset")) r.preset = one_of(root["preset"], preset_names(), at("preset"));
  if (has("observer")) r.observer = one_of(root["observer"], kObservers, at("observer"));
  if (has("rounding")) r.rounding = one_of(root["rounding"], rounding_names(), at("rounding"));
  if (has("per_tensor")) r.per_tensor = json::boolean(root["per_tensor"], at("per_tensor"));
  if (has("equalize")) r.equalize = json::boolean(root["equalize"], at("equalize"));
  if (has("bias_correct")) r.bias_correct = json::boolean(root["bias_correct"], at("bias_correct"));
  if (has("samples")) r.samples = json::integer(root["samples"], 0, std::numeric_limits<int64_t>::max(), at("samples"));
  if (has("seed")) r.seed = json::integer(root["seed"], 0, std::numeric_limits<uint32_t>::max(), at("seed"));
  if (has("keep_float"))
    for (const json::Value& v : json::array(root["keep_float"], at("keep_float")))
      r.keep_float.push_back(json::string(v, at("keep_float")));
  return r;
}

void RecipeOptions::add(CLI::App& verb) {
  constexpr const char* kGroup = "Recipe";
  verb_ = &verb;
  verb.add_option("--recipe", file_, "a recipe as this verb prints it; options beside it win")->type_name("FILE")->group(kGroup);
  verb.add_option(
          "--preset", given_.preset,
          "observers and codes: octet (u8, histogram, per channel), device (i8, for firmware), 16x8, or PyTorch's (default: "
          "octet; device where the rounding is fixed)")
      ->check(CLI::IsMember(preset_names()))
      ->group(kGroup);
  verb.add_option("--observer", given_.observer, "of activations (default: the preset's)")
      ->check(CLI::IsMember(kObservers))
      ->group(kGroup);
  verb.add_option("--rounding", given_.rounding, "how accumulators become codes (default: real)")
      ->check(CLI::IsMember(rounding_names()))
      ->group(kGroup);
  verb.add_flag("--per-tensor,!--per-channel", given_.per_tensor, "one scale for all weights of a layer")->group(kGroup);
  verb.add_flag("--equalize,!--no-equalize", given_.equalize, "balance channels between layers first")->group(kGroup);
  verb.add_flag("--bias-correct,!--no-bias-correct", given_.bias_correct, "take mean errors back through the biases")
      ->group(kGroup);
  verb.add_option("--keep-float", given_.keep_float, "layers below this path stay float; may be repeated")
      ->take_all()
      ->allow_extra_args(false)
      ->type_name("PREFIX")
      ->group(kGroup);
  verb.add_option("--samples", given_.samples, "calibrate with so many rows, drawn at random (default: all)")
      ->check(whole_number())
      ->group(kGroup);
  verb.add_option("--seed", given_.seed, "of that draw (default: 0)")
      ->check(whole_number(0, std::numeric_limits<uint32_t>::max()))
      ->group(kGroup);
}

Recipe RecipeOptions::recipe() const {
  Recipe r = file_.empty() ? Recipe{} : read_recipe(file_);
  const auto given = [&](const char* name) { return verb_->get_option(name)->count() > 0; };
  if (given("--observer")) r.observer = given_.observer;
  if (given("--rounding")) r.rounding = given_.rounding;
  if (given("--per-tensor")) r.per_tensor = given_.per_tensor;
  if (given("--equalize")) r.equalize = given_.equalize;
  if (given("--bias-correct")) r.bias_correct = given_.bias_correct;
  if (given("--keep-float")) r.keep_float = given_.keep_float;
  if (given("--samples")) r.samples = given_.samples;
  if (given("--seed")) r.seed = given_.seed;
  if (given("--preset"))
    r.preset = given_.preset;
  else if (given("--rounding") && r.preset == "octet" && r.rounding.starts_with("fixed"))
    r.preset = "device";
  return r;
}

Made make(const Recipe& r, const Model& model, const Batches& batches, const Progress& progress) {
  Made made{.reference = fuse(model, Aim::inference), .quantized = {}, .summary = {}};
  if (r.equalize) made.reference = equalize(made.reference);
  for (const Rounding rounding : kRoundings)
    if (r.rounding == to_string(rounding)) made.reference.rounding = rounding;
  QConfigMap map{{"", qconfig_of(r)}};
  for (const std::string& prefix : r.keep_float) map[prefix] = std::nullopt;
  Model prepared = prepare(made.reference, map);
  calibrate(prepared, batches, progress);
  made.quantized = convert(prepared, &made.summary);
  if (r.bias_correct) made.quantized = correct_bias(made.reference, made.quantized, batches);
  return made;
}

}  // namespace octet::cli

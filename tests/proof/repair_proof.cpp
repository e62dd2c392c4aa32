// SPDX-License-Identifier: Apache-2.0
// Proof on trained networks that the report finds the guilty layers and the repairs mend them; fails if one claim does not hold.
#include <fmt/format.h>

#include <algorithm>

#include "io/model_file.h"
#include "io/npy.h"
#include "numeric_suite/diagnose.h"
#include "quant/correct_bias.h"
#include "quant/data_free.h"
#include "tests/proof/proof_networks.h"
#include "tools/program.h"

namespace octet::tools {
namespace {

constexpr double kCollapse = 0.20, kDataFree = 0.01, kWithData = 0.003;  // of accuracy
const InputPrior kPrior{-0.8102F, 2.0227F, 0.0, 1.0};                    // normalised pixels of 0..255

int failures = 0;
void claim(bool holds, const std::string& what) {
  fmt::print("  {} {}\n", holds ? "holds:" : "FAILS:", what);
  failures += !holds;
}

std::vector<Tensor> split(const Tensor& t, int64_t batch) {
  std::vector<Tensor> parts;
  for (int64_t i = 0; i < t.size(0); i += batch) parts.push_back(slice_rows(t, i, std::min(i + batch, t.size(0))));
  return parts;
}

Model post_training(const Model& fused, const std::vector<Tensor>& data, const QConfig& qconfig) {
  Model prepared = prepare(fused, {{"", qconfig}});
  calibrate(prepared, data);
  return convert(prepared);
}

/// Pairs of consecutive layers of the fused network, and a random half of them to spoil.
std::vector<std::pair<std::string, std::string>> chosen_pairs(const Model& fused, uint64_t seed) {
  std::vector<std::pair<std::string, std::string>> chosen;
  Generator g(seed);
  for (const auto& chain : equalizable(fused))
    for (size_t k = 0; k + 1 < chain.size(); ++k)
      if (std::holds_alternative<Conv2d>(fused[chain[k + 1]].op) && g.uniform() < 0.6F) chosen.emplace_back(chain[k], chain[k + 1]);
  return chosen;
}

void prove(const std::string& name, const std::string& cache, int epochs, ProofData& data) {
  fmt::print("{}, trained for {} epoch{}\n", name, epochs, epochs == 1 ? "" : "s");
  require_output();
  const Model model = train_or_load(name, cache, epochs, data);
  const auto percent = [&](const Model& m) { return 100 * accuracy(m, data.test_images, data.test_labels); };
  const std::vector<Tensor> calibration = split(data.calibration, 100);
  Model bad = model;
  const auto pairs = chosen_pairs(fuse(model, Aim::inference), 3);
  const std::vector<SpoiledPair> truth = spoil(bad, pairs, 4);
  const double whole = percent(model), reference = percent(bad);
  fmt::print("{}: float {:.2f} %, spoiled in {} pairs {:.2f} %\n", name, whole, truth.size(), reference);

  const QConfig qconfig = default_qconfig();
  const double healthy = percent(post_training(fuse(model, Aim::inference), calibration, qconfig));
  const Model fused = fuse(bad, Aim::inference);
  const Model collapsed = post_training(fused, calibration, qconfig);
  const double lost = percent(collapsed);
  fmt::print("  per-tensor int8: before spoiling {:.2f} %, after {:.2f} %\n", healthy, lost);

  const Diagnosis sound =
      diagnose(model, post_training(fuse(model, Aim::inference), calibration, octet_qconfig()), {calibration.data(), 2});
  fmt::print("  healthy network: estimate against measurement, rank correlation {:.2f}\n", sound.rank_correlation);
  const Diagnosis d = diagnose(bad, collapsed, {calibration.data(), 3});
  int found = 0, named = 0;
  for (const PairImbalance& p : d.pairs) {
    named += p.unbalanced;
    found += p.unbalanced && std::ranges::count(pairs, std::pair{p.first, p.second});
    fmt::print("    {:<12} {:<12} {:.2f} decades, span {:.0f}x{}{}\n", p.first, p.second, p.decades, p.worst_span,
               p.unbalanced ? ", unbalanced" : "", std::ranges::count(pairs, std::pair{p.first, p.second}) ? ", was spoiled" : "");
  }
  const double precision = named ? static_cast<double>(found) / named : 1,
               recall = truth.empty() ? 1 : static_cast<double>(found) / static_cast<double>(truth.size());
  fmt::print("{}", to_table(d, 6));
  fmt::print("  estimate against measurement: rank correlation {:.2f}\n", d.rank_correlation);
  claim(precision == 1 && recall == 1,
        fmt::format("the report names the spoiled pairs: precision {:.2f}, recall {:.2f}", precision, recall));

  save_model(cache + "/" + name + "_spoiled.safetensors", bad);
  save_model(cache + "/" + name + "_spoiled_int8.safetensors", collapsed);

  const DataFree mended = data_free(bad, {.input = kPrior});
  for (const std::string& note : mended.notes) fmt::print("    {}\n", note);
  const double without = percent(mended.quantized);
  const Model equal = equalize(fused);
  const Model with = correct_bias(equal, post_training(equal, calibration, octet_qconfig()), calibration);
  const Model with_per_tensor = correct_bias(equal, post_training(equal, calibration, qconfig), calibration);
  const double repaired = percent(with_per_tensor);
  fmt::print("  with data, per channel {:.2f} %\n", percent(with));
  claim(std::abs(whole - reference) < 0.05,
        fmt::format("spoiling keeps the float accuracy: {:.2f} and {:.2f} %", whole, reference));
  if (name == "mobilenet")
    claim(reference - lost > 100 * kCollapse, fmt::format("per-tensor int8 collapses by {:.2f} points", reference - lost));
  claim(reference - without <= 100 * kDataFree,
        fmt::format("data-free repair {:.2f} %, {:.2f} points below float", without, reference - without));
  claim(reference - repaired <= 100 * kWithData,
        fmt::format("repair with data {:.2f} %, {:.2f} points below float", repaired, reference - repaired));
}

}  // namespace
}  // namespace octet::tools

int main(int argc, char** argv) {
  using namespace octet;
  std::string folder = "proof_models", data_folder = "/usr/share/datasets/fashion-mnist";
  int epochs = 3;
  CLI::App app(
      "Trains two small networks on Fashion-MNIST, spoils their channels without changing what they compute, and proves that the\n"
      "report names the spoiled layers and that the repairs mend them; exit status 1 if a claim fails.",
      "repair_proof");
  app.add_option("folder", folder, "where trained networks are kept, and read from the next time")->capture_default_str();
  app.add_option("--data", data_folder, "folder with Fashion-MNIST's four *-ubyte.gz files")->capture_default_str();
  app.add_option("--epochs", epochs, "training epochs")->check(CLI::Range(1, 1000))->capture_default_str();
  return tools::run_program(app, argc, argv, [&] {
    tools::make_output_folder(folder);
    tools::ProofData data = tools::proof_data(data_folder);
    for (const char* name : {"mobilenet", "resnet"}) tools::prove(name, folder, epochs, data);
    // What octet report reads: ./octet report mobilenet_spoiled.safetensors mobilenet_spoiled_int8.safetensors images.npy
    // …
    save_npy(folder + "/images.npy", slice_rows(data.test_images, 0, 1000));
    save_npy(folder + "/labels.npy", slice_rows(data.test_labels, 0, 1000));
    fmt::print("{}\n", tools::failures == 0 ? "every claim holds" : fmt::format("{} claims fail", tools::failures));
    return tools::failures == 0 ? tools::kDone : tools::kError;
  });
}

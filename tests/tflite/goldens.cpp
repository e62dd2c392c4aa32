// SPDX-License-Identifier: Apache-2.0
// Real .tflite files and the outputs that TensorFlow Lite Micro gave for them (../shared/models/tflite, not in this repository):
// every code, on the host's engines and from the image of every firmware target.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>

#include "compile/program.h"
#include "engine/quantize.h"
#include "io/firmware_plan.h"
#include "io/npy.h"
#include "io/tflite/tflite.h"
#include "tests/catch.h"
#include "tests/runtime/device.h"
#include "tests/skip.h"
#include "tests/tflite/samples.h"

using namespace octet;
using namespace octet::device;
using Catch::Matchers::Contains;
using octet::testing::sample_of;
namespace fs = std::filesystem;

namespace {

fs::path folder() {
  const char* models = std::getenv("OCTET_MODELS");
  return fs::path(models == nullptr ? "." : models) / "tflite";
}

/// Names of all models, "made/…" among them.
std::vector<std::string> names() {
  std::vector<std::string> all;
  for (const auto& entry : fs::recursive_directory_iterator(folder()))
    if (entry.path().extension() == ".tflite")
      all.push_back(fs::relative(entry.path(), folder()).replace_extension().generic_string());
  std::ranges::sort(all);
  return all;
}

std::string file(const std::string& name, const std::string& what) { return (folder() / (name + what)).string(); }

Tensor array(const std::string& name, const std::string& what) { return load_npy(file(name, what)); }

struct Case {
  TfliteModel loaded;
  std::vector<Tensor> inputs;  ///< samples, for each Input of the model
  Tensor golden;
  int64_t samples = 0;

  explicit Case(const std::string& name) : loaded(load_tflite(file(name, ".tflite"))) {
    for (size_t i = 0; i < loaded.inputs.size(); ++i) {
      if (loaded.inputs[i].place < 0) continue;
      const bool alone = loaded.inputs.size() == 1;
      inputs.push_back(array(name, alone ? ".inputs.npy" : ".inputs" + std::to_string(i) + ".npy"));
    }
    // Weights that are codes under floats are read as floats; the other golden rounds inputs at run time.
    golden = array(name, fs::exists(file(name, ".golden_dequantized.npy")) ? ".golden_dequantized.npy" : ".golden.npy");
    samples = golden.size(0);
  }

  std::vector<Tensor> sample(int64_t s) const {
    std::vector<Tensor> one;
    size_t i = 0;
    for (const Module& m : loaded.model.modules) {
      if (!std::holds_alternative<Input>(m.op)) continue;
      Tensor x = sample_of(inputs[i++], s, m.nominal[0]);
      one.push_back(x.dtype() == DType::f32 ? x : x.with(*m.out_q.at(0)));
    }
    return one;
  }
};

struct Counted {
  size_t values = 0, wrong = 0;
};

/// Codes must be equal, floats nearly.
void compare(Counted& c, const std::byte* got, const std::byte* expected, size_t bytes, DType dtype) {
  const size_t size = size_of(dtype);
  float largest = 0;
  for (size_t i = 0; dtype == DType::f32 && i < bytes; i += size) {
    float v;
    std::memcpy(&v, expected + i, size);
    largest = std::max(largest, std::abs(v));
  }
  for (size_t i = 0; i < bytes; i += size) {
    bool wrong = std::memcmp(got + i, expected + i, size) != 0;
    if (wrong && dtype == DType::f32) {
      float a, b;
      std::memcpy(&a, got + i, size), std::memcpy(&b, expected + i, size);
      wrong = !(std::abs(a - b) <= 1e-5F * largest);
    }
    ++c.values, c.wrong += wrong ? 1 : 0;
  }
}

Counted on_host(const Case& c, QEngine engine) {
  Counted counted;
  const auto program = Program::bind(c.loaded.model, engine);
  std::vector<Shape> shapes;
  for (const Tensor& x : c.sample(0)) shapes.push_back(x.shape());
  Session session(program, shapes, 1);
  for (int64_t s = 0; s < c.samples; ++s) {
    Tensor y = session.run(c.sample(s))[0];
    if (c.loaded.outputs[0].floats_of_codes) y = dequantize(y);
    REQUIRE(y.dtype() == c.golden.dtype());
    REQUIRE(y.bytes() * static_cast<size_t>(c.samples) == c.golden.bytes());
    compare(counted, static_cast<const std::byte*>(y.raw()),
            static_cast<const std::byte*>(c.golden.raw()) + static_cast<size_t>(s) * y.bytes(), y.bytes(), y.dtype());
  }
  return counted;
}

Counted on_device(const Case& c, FirmwareTarget target) {
  Counted counted;
  const FirmwareOptions options{.float_inputs = c.loaded.inputs[0].floats_of_codes,
                                .float_outputs = c.loaded.outputs[0].floats_of_codes,
                                .search_nodes = 2000,
                                .target = target};
  const Device device(image_bytes(plan_firmware(c.loaded.model, options)));
  REQUIRE(device.status() == OCTET_OK);
  for (int64_t s = 0; s < c.samples; ++s) {
    const Outcome got = device.run(c.sample(s));
    REQUIRE(got.status == OCTET_OK);
    const auto& y = got.outputs.at(0);
    REQUIRE(y.size() * static_cast<size_t>(c.samples) == c.golden.bytes());
    compare(counted, y.data(), static_cast<const std::byte*>(c.golden.raw()) + static_cast<size_t>(s) * y.size(), y.size(),
            c.golden.dtype());
  }
  return counted;
}

/// Whether a microcontroller can have it: it computes no floats.
bool is_integer(const Model& model) {
  return std::ranges::all_of(model.modules, [](const Module& m) { return !m.out_q.empty(); });
}

}  // namespace

TEST_CASE("imported .tflite files give TensorFlow Lite Micro's codes on every engine and firmware target") {
  if (!has_tflite()) OCTET_SKIP_CASE("built without FlatBuffers");
  if (!fs::exists(folder())) OCTET_SKIP_CASE("no " + folder().string());
  // What octet has no form for, and the words that say so.
  const std::map<std::string, std::string> refused{{"trained_lstm_int8", "UNIDIRECTIONAL_SEQUENCE_LSTM"},
                                                   {"quantize0", "values of int32"}};
  size_t read = 0, total = 0, on_boards = 0;
  std::printf("%-26s %10s %8s %8s %8s %8s %8s\n", "file", "values", "host", "native", "portable", "m4", "m55");
  for (const std::string& name : names()) {
    CAPTURE(name);
    if (const auto why = refused.find(name); why != refused.end()) {
      CHECK_THROWS_WITH(load_tflite(file(name, ".tflite")), Contains(why->second));
      std::printf("%-26s refused: %s\n", name.c_str(), why->second.c_str());
      continue;
    }
    const Case c(name);
    const Counted reference = on_host(c, QEngine::reference);
    std::string row;
    const auto cell = [&](const Counted& counted) {
      CHECK(counted.values == static_cast<size_t>(c.golden.numel()));
      CHECK(counted.wrong == 0);
      row += std::string(9 - std::min<size_t>(8, std::to_string(counted.values - counted.wrong).size()), ' ') +
             std::to_string(counted.values - counted.wrong);
    };
    cell(reference), cell(on_host(c, QEngine::automatic));
    if (is_integer(c.loaded.model)) {
      for (const FirmwareTarget target : {FirmwareTarget::portable, FirmwareTarget::cortex_m4, FirmwareTarget::cortex_m55})
        cell(on_device(c, target));
      ++on_boards;
    }
    std::printf("%-26s %10lld%s\n", name.c_str(), static_cast<long long>(c.golden.numel()), row.c_str());
    ++read, total += reference.values;
  }
  std::printf("%zu files, %zu values, %zu files on devices\n", read, total, on_boards);
  CHECK(read == 58);
  CHECK(on_boards == 55);
}

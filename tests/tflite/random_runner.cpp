// SPDX-License-Identifier: Apache-2.0
// Runs the .tflite files that tests/tflite/random/ makes: of each name on stdin NAME.tflite with NAME.in<i>.npy becomes
// NAME.octet.out<i>.npy, and NAME.octet.txt says whether sessions of two engines and the images of all firmware targets agree.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <iostream>

#include "compile/program.h"
#include "engine/quantize.h"
#include "io/firmware_plan.h"
#include "io/npy.h"
#include "io/tflite/tflite.h"
#include "tests/runtime/device.h"
#include "tests/tflite/samples.h"

using namespace octet;
using namespace octet::device;
using octet::testing::sample_of;

namespace {

/// A file and what it reads.
struct Case {
  TfliteModel loaded;
  std::vector<const Module*> ports;  ///< each Input of the model
  std::vector<Tensor> arrays;        ///< its samples
  std::vector<bool> floats_in;       ///< whether the file itself makes codes of them
  int64_t samples = 1;

  explicit Case(const std::string& base) : loaded(load_tflite(base + ".tflite")) {
    for (size_t i = 0; i < loaded.inputs.size(); ++i) {
      if (loaded.inputs[i].place < 0) continue;
      check(loaded.inputs[i].place == static_cast<int>(arrays.size()), "inputs out of order");
      arrays.push_back(load_npy(base + ".in" + std::to_string(i) + ".npy"));
      floats_in.push_back(loaded.inputs[i].floats_of_codes);
      samples = arrays.back().size(0);
    }
    for (const Module& m : loaded.model.modules)
      if (std::holds_alternative<Input>(m.op)) ports.push_back(&m);
    check(ports.size() == arrays.size(), ports.size(), " inputs of the model, ", arrays.size(), " of the file");
  }

  std::vector<Tensor> sample(int64_t s) const {
    std::vector<Tensor> one;
    for (size_t i = 0; i < arrays.size(); ++i) {
      Tensor x = sample_of(arrays[i], s, ports[i]->nominal[0]);
      one.push_back(x.dtype() == DType::f32 ? x : x.with(*ports[i]->out_q.at(0)));
    }
    return one;
  }
};

using Samples = std::vector<std::vector<Tensor>>;  ///< the outputs of each sample

struct Counted {
  size_t values = 0, wrong = 0;

  /// Codes must be equal, floats nearly.
  void compare(const Tensor& expected, const std::byte* got, size_t bytes) {
    const size_t size = size_of(expected.dtype());
    values += expected.bytes() / size;
    if (expected.bytes() != bytes) {
      wrong += expected.bytes() / size;
      return;
    }
    const auto* want = static_cast<const std::byte*>(expected.raw());
    float largest = 0;
    for (size_t i = 0; expected.dtype() == DType::f32 && i < bytes; i += size) {
      float v;
      std::memcpy(&v, want + i, size);
      if (std::isfinite(v)) largest = std::max(largest, std::abs(v));
    }
    for (size_t i = 0; i < bytes; i += size) {
      bool differs = std::memcmp(want + i, got + i, size) != 0;
      if (differs && expected.dtype() == DType::f32) {
        float a, b;
        std::memcpy(&a, want + i, size), std::memcpy(&b, got + i, size);
        differs = !(std::abs(a - b) <= 1e-5F * largest || (std::isnan(a) && std::isnan(b)));
      }
      wrong += differs ? 1 : 0;
    }
  }

  void say(std::ostream& out, const std::string& name) const {
    out << (wrong == 0 ? "ok " : "DIFF ") << name << " " << values << " " << wrong << "\n";
  }
};

/// Writes an array of each output, and says where its shape is not the file's.
Samples on_reference(const Case& c, const std::string& base, std::ostream& out) {
  Samples all;
  for (int64_t s = 0; s < c.samples; ++s) all.push_back(infer(c.loaded.model, c.sample(s)));
  for (size_t o = 0; o < c.loaded.outputs.size(); ++o) {
    const TflitePort& port = c.loaded.outputs[o];
    std::vector<Tensor> ones;
    for (const auto& outputs : all) ones.push_back(port.floats_of_codes ? dequantize(outputs.at(o)) : outputs.at(o));
    Shape shape = ones[0].shape();
    if (shape != port.shape) out << "SHAPE output " << o << " " << to_string(shape) << " port " << to_string(port.shape) << "\n";
    shape.insert(shape.begin(), c.samples);
    Tensor array(shape, ones[0].dtype());
    auto* to = static_cast<std::byte*>(array.mutable_raw());
    for (const Tensor& y : ones) {
      if (y.bytes() > 0) std::memcpy(to, y.raw(), y.bytes());
      to += y.bytes();
    }
    save_npy(base + ".octet.out" + std::to_string(o) + ".npy", array);
  }
  return all;
}

void on_host(const Case& c, const Samples& expected, QEngine engine, const std::string& name, std::ostream& out) {
  const auto program = Program::bind(c.loaded.model, engine);
  std::vector<Shape> shapes;
  for (const Module* m : c.ports) shapes.push_back(m->nominal[0]);
  for (const int threads : {1, 2}) {
    Session session(program, shapes, threads);
    Counted counted;
    for (int64_t s = 0; s < c.samples; ++s) {
      const auto got = session.run(c.sample(s));
      const auto& want = expected[static_cast<size_t>(s)];
      check(got.size() == want.size(), got.size(), " outputs");
      for (size_t o = 0; o < got.size(); ++o) {
        check(got[o].dtype() == want[o].dtype() && got[o].shape() == want[o].shape(), "output ", o, " of shape ",
              to_string(got[o].shape()));
        counted.compare(want[o], static_cast<const std::byte*>(got[o].raw()), got[o].bytes());
      }
    }
    counted.say(out, name + " threads " + std::to_string(threads));
  }
}

void on_device(const Case& c, const Samples& expected, FirmwareTarget target, bool floats_in, bool floats_out,
               const std::string& name, std::ostream& out) {
  const Model& model = c.loaded.model;
  const FirmwareOptions options{.float_inputs = floats_in, .float_outputs = floats_out, .search_nodes = 500, .target = target};
  const Device device(image_bytes(plan_firmware(model, options)));
  check(device.status() == OCTET_OK, "opens with status ", int{device.status()});
  Counted counted;
  for (int64_t s = 0; s < c.samples; ++s) {
    std::vector<Tensor> x = c.sample(s);
    for (size_t i = 0; i < x.size() && !floats_in; ++i)
      if (x[i].dtype() == DType::f32) x[i] = quantize(x[i], *c.ports[i]->out_q.at(0), model.rounding);
    const Outcome got = device.run(x);
    const auto& want = expected[static_cast<size_t>(s)];
    check(got.status == OCTET_OK && got.outputs.size() == want.size(), "runs with status ", int{got.status}, ", ",
          got.outputs.size(), " outputs");
    for (size_t o = 0; o < want.size(); ++o)
      counted.compare(floats_out ? dequantize(want[o]) : want[o], got.outputs[o].data(), got.outputs[o].size());
  }
  counted.say(out, name);
}

/// What a step that throws has to say becomes a line.
template <class Step>
void attempt(const std::string& name, std::ostream& out, const Step& step) {
  try {
    step();
  } catch (const std::exception& e) {
    out << "ERROR " << name << " " << e.what() << "\n";
  }
}

void run(const std::string& base, std::ostream& out) {
  const Case c(base);
  for (const std::string& note : c.loaded.notes) out << "note " << note << "\n";
  const Samples expected = on_reference(c, base, out);
  out << "infer ok\n";
  const std::pair<QEngine, std::string> engines[] = {{QEngine::reference, "reference"}, {QEngine::automatic, "automatic"}};
  for (const auto& one : engines) attempt(one.second, out, [&] { on_host(c, expected, one.first, one.second, out); });
  if (!std::ranges::all_of(c.loaded.model.modules, [](const Module& m) { return !m.out_q.empty(); })) return;  // floats
  const bool floats_in = !c.floats_in.empty() && std::ranges::all_of(c.floats_in, [](bool b) { return b; });
  const bool floats_out = std::ranges::all_of(c.loaded.outputs, [](const TflitePort& p) { return p.floats_of_codes; });
  const std::pair<FirmwareTarget, std::string> targets[] = {
      {FirmwareTarget::portable, "portable"}, {FirmwareTarget::cortex_m4, "m4"}, {FirmwareTarget::cortex_m55, "m55"}};
  for (const auto& one : targets) {
    attempt(one.second, out, [&] { on_device(c, expected, one.first, false, false, one.second, out); });
    const std::string floats = one.second + " floats";
    if (floats_in || floats_out)
      attempt(floats, out, [&] { on_device(c, expected, one.first, floats_in, floats_out, floats, out); });
  }
}

}  // namespace

int main() {
  // Each name is said before its file is run, so that who reads this knows what ended it.
  for (std::string base; std::getline(std::cin, base);) {
    std::printf("%s\n", base.c_str());
    std::fflush(stdout);
    std::ofstream out(base + ".octet.txt");
    try {
      run(base, out);
    } catch (const Error& e) {
      out << "REFUSED " << e.what() << "\n";
    } catch (const std::exception& e) {
      out << "EXCEPTION " << e.what() << "\n";
    }
  }
}

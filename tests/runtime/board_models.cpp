// SPDX-License-Identifier: Apache-2.0
// Writes what a board needs of each model and rounding: the image as C source, samples, and the checksums the host got for every
// layer. Usage: board_models FOLDER SAMPLES [MODEL…]; a model that needs files which are not there is left out with a line.
#include <cstdio>
#include <filesystem>

#include "io/model_file.h"
#include "tests/runtime/device.h"
#include "tests/runtime/networks.h"

namespace {

using namespace octet;

Bytes text(const std::string& s) {
  const auto* p = reinterpret_cast<const std::byte*>(s.data());
  return {p, p + s.size()};
}

std::string samples_source(const std::vector<Tensor>& samples) {
  std::string s = "#define SAMPLE_COUNT " + std::to_string(samples.size()) + "\n#define SAMPLE_BYTES " +
                  std::to_string(samples[0].bytes()) + "u\nstatic const unsigned char samples[SAMPLE_COUNT][SAMPLE_BYTES] = {\n";
  for (const Tensor& t : samples) {
    s += "{";
    for (size_t i = 0; i < t.bytes(); ++i)
      s += std::to_string(static_cast<const uint8_t*>(t.raw())[i]) + (i % 24 == 23 ? ",\n" : ",");
    s += "},\n";
  }
  return s + "};\n";
}

void write_model(const std::string& folder, const device::Example& e, FirmwareTarget target) {
  const FirmwarePlan plan = plan_firmware(e.int8, {.target = target});
  std::filesystem::create_directories(folder);
  const ImageSource source = image_source(plan, "model");
  write_file(folder + "/model.c", text(source.c));
  write_file(folder + "/model.h", text(source.h));
  write_file(folder + "/model.octi", image_bytes(plan));
  save_model(folder + "/model.octet", e.int8);
  write_file(folder + "/samples.h", text(samples_source(e.samples)));
  write_file(folder + "/plan.txt", text(to_table(plan)));
  std::string expected;
  const device::Device device(image_bytes(plan));
  for (size_t i = 0; i < e.samples.size(); ++i) {
    const auto sums = device::host_checksums(e.int8, {&e.samples[i], 1});
    for (const device::Layer& layer : device.run({&e.samples[i], 1}).layers) {
      // What the runtime computes here must be what the evaluator computes, or the boards would be compared with themselves.
      check(sums.at(layer.name) == layer.checksum, e.name, ": ", layer.name, ": runtime and evaluator differ on the host");
      char line[300];
      std::snprintf(line, sizeof line, "%zu %s %08x\n", i, layer.name.c_str(), layer.checksum);
      expected += line;
    }
  }
  write_file(folder + "/expected.txt", text(expected));
  std::printf("%s: arena %lld bytes, lower bound %lld, image %zu bytes\n", folder.c_str(), static_cast<long long>(plan.arena_bytes),
              static_cast<long long>(plan.lower_bound), image_bytes(plan).size());
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: board_models FOLDER SAMPLES [MODEL...]\n");
    return 2;
  }
  const std::string folder = argv[1];
  const int samples = std::stoi(argv[2]);
  const std::vector<std::string> wanted(argv + 3, argv + argc);
  try {
    for (const std::string& name : wanted)
      for (const Rounding rounding : {Rounding::real, Rounding::fixed_double, Rounding::fixed_single})
        if (const auto e = device::example(name, rounding, samples))
          for (const auto& [kind, target] : {std::pair{"portable", FirmwareTarget::portable},
                                             {"cortex_m4", FirmwareTarget::cortex_m4},
                                             {"cortex_m55", FirmwareTarget::cortex_m55}})
            write_model(folder + "/" + name + "-" + std::string(to_string(rounding)) + "-" + kind, *e, target);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "board_models: %s\n", e.what());
    return 1;
  }
  return 0;
}

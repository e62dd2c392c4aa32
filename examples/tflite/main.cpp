// SPDX-License-Identifier: Apache-2.0
// An existing .tflite file, run here and made into a firmware image: the program of docs/from-tflite.md.
// Usage: tflite_example MODEL.tflite FOLDER [INPUT.npy…]; without inputs: zeros.
#include <cstdio>

#include "octet/octet.h"
using namespace octet;

namespace {

/// What the user has for an input: an array of the file's shape, or of several samples of it.
Tensor input_of(const Module& input, const char* path) {
  const Shape& shape = input.nominal[0];
  if (path == nullptr) return Tensor::zeros(shape);
  Tensor x = load_npy(path);
  Shape batch = shape;
  batch[0] = -1;
  x = x.reshape(batch);
  return x.dtype() == DType::f32 ? x : x.with(*input.out_q.at(0));  // codes of the input's own meaning
}

}  // namespace

int main(int argc, char** argv) try {
  check(argc >= 3, "usage: tflite_example MODEL.tflite FOLDER [INPUT.npy…]");
  const TfliteModel loaded = load_tflite(argv[1]);
  for (const std::string& note : loaded.notes) std::printf("note: %s\n", note.c_str());
  const Model& model = loaded.model;

  std::vector<Tensor> inputs;
  std::vector<Shape> shapes;
  for (const Module& module : model.modules) {
    if (module.as<Input>() == nullptr) continue;
    const size_t place = 3 + inputs.size();
    inputs.push_back(input_of(module, static_cast<int>(place) < argc ? argv[place] : nullptr));
    shapes.push_back(inputs.back().shape());
  }
  Session session(Program::bind(model), shapes);
  for (const Tensor& y : session.run(inputs)) {  // codes, with what they mean
    const Tensor values = dequantize(y);
    std::printf("output %s: first value %g\n", to_string(values.shape()).c_str(), static_cast<double>(values.data<float>()[0]));
  }

  // Floats at the file's ends are codes in the model; the device has floats there, too, if it is asked to.
  const FirmwareOptions options{.float_inputs = loaded.inputs[0].floats_of_codes,
                                .float_outputs = loaded.outputs[0].floats_of_codes,
                                .target = FirmwareTarget::cortex_m4};
  const FirmwarePlan plan = plan_firmware(model, options);
  std::printf("%s", to_table(plan).c_str());
  const std::string folder = argv[2];
  write_file(folder + "/model.octi", image_bytes(plan));
  save_model(folder + "/model.octet", model);  // loads without the .tflite file, and in programs without its reader
  return 0;
} catch (const Error& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}

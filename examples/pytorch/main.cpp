// SPDX-License-Identifier: Apache-2.0
// A checkpoint of PyTorch's (train.py) in octet: load it, compare with PyTorch's logits, quantize, measure, save. The code of
// docs/from-pytorch.md, as a program.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "octet/octet.h"
using namespace octet;

namespace {

/// The network of train.py. Paths are the names of PyTorch's modules; what has no parameters may be called anything.
Model network() {
  Model m;
  m.add("image", Input{{1, 28, 28, 1}});  // N,H,W,C
  m.add("conv1", Conv2d{.in = 1, .out = 16, .padding = pad_all(1), .bias = false});
  m.add("bn1", BatchNorm{16});
  m.add("relu1", Unary{UnaryFn::relu});
  m.add("pool1", Pool2d{.kind = Pool::max});
  m.add("conv2", Conv2d{.in = 16, .out = 32, .padding = pad_all(1), .bias = false});
  m.add("bn2", BatchNorm{32});
  m.add("relu2", Unary{UnaryFn::relu});
  m.add("pool2", Pool2d{.kind = Pool::max});
  m.add("conv3", Conv2d{.in = 32, .out = 32, .padding = pad_all(1), .groups = 32});
  m.add("relu3", Unary{UnaryFn::relu});
  m.add("flatten", Reshape{{0, -1}});  // H,W,C here; the columns of fc1 are permuted to it
  m.add("fc1", Linear{32 * 7 * 7, 64});
  m.add("relu4", Unary{UnaryFn::relu});
  m.add("fc2", Linear{64, 10});
  return m;
}

/// Pictures as train.py feeds them.
Tensor normalized(const Tensor& images, const Tensor& labels) {
  DataLoader loader(images, labels, {.batch = images.size(0), .scale = 1 / (255 * 0.3530F), .shift = -0.2860F / 0.3530F});
  return loader.batch(0).inputs;
}

double percent_right(const Tensor& logits, const Tensor& labels) {
  return 100.0 * static_cast<double>(count_correct(logits, labels)) / static_cast<double>(labels.numel());
}

int run(const std::string& folder) {
  Model net = network();
  const StateDictReport report = load_state_dict(net, folder + "/weights.safetensors");
  for (const std::string& note : report.notes) std::printf("note: %s\n", note.c_str());

  const FashionMnist data = load_fashion_mnist();
  const Tensor test = normalized(data.test_images, data.test_labels);
  const Tensor logits = run_batched(Program::bind(net), test, 500);
  const Tensor pytorch = load_npy_floats(folder + "/test_logits.npy");
  const auto ours = logits.data<float>(), theirs = pytorch.data<float>();
  check(pytorch.shape() == logits.shape(), "test_logits.npy: expected shape ", to_string(logits.shape()), ", got ",
        to_string(pytorch.shape()));
  float worst = 0;
  for (size_t i = 0; i < ours.size(); ++i) worst = std::max(worst, std::abs(ours[i] - theirs[i]));
  std::printf("float:   %.2f %% right, PyTorch %.2f %%, logits differ by at most %.1e\n", percent_right(logits, data.test_labels),
              percent_right(pytorch, data.test_labels), static_cast<double>(worst));
  check(worst < 1e-3F, "the logits differ from PyTorch's by ", worst);

  Model prepared = prepare(fuse(net, Aim::inference), {{"", octet_qconfig()}});
  const Tensor few = normalized(slice_rows(data.train_images, 0, 2000), slice_rows(data.train_labels, 0, 2000));
  calibrate(prepared, {&few, 1});
  const Model int8 = convert(prepared);
  const Tensor codes = run_batched(Program::bind(int8), test, 500);
  std::printf("int8:    %.2f %% right, SQNR of the logits %.1f dB, %lld bytes of parameters instead of %lld\n",
              percent_right(codes, data.test_labels), sqnr(logits, codes), static_cast<long long>(parameter_bytes(int8)),
              static_cast<long long>(parameter_bytes(net)));

  save_model(folder + "/float.octet", net);
  save_model(folder + "/int8.octet", int8);
  const Model loaded = load_model(folder + "/int8.octet").model;
  const Tensor again = run_batched(Program::bind(loaded), test, 500);
  check(std::ranges::equal(again.data<float>(), codes.data<float>()), "the loaded model gives other logits");
  save_state_dict(net, folder + "/back.safetensors");  // net.load_state_dict(load_file("back.safetensors")) takes it
  std::printf("saved:   %s/int8.octet, the same logits after loading\n", folder.c_str());
  return 0;
}

}  // namespace

int main(int argc, char** argv) try {
  check(argc == 2, "usage: pytorch_example FOLDER, which train.py wrote");
  return run(argv[1]);
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}

// SPDX-License-Identifier: Apache-2.0
// What torch_roundtrip.py runs: for each network of the folder, loads PyTorch's weights, writes the outputs for PyTorch's inputs
// and the state dict again.
#include <cstdio>
#include <functional>
#include <map>

#include "io/npy.h"
#include "io/state_dict.h"
#include "quant/quantize.h"
#include "tests/io/torch_networks.h"

namespace {

octet::Model fused_cnn() {
  octet::Model m = octet::testing::torch_cnn();
  octet::Generator random(1);
  octet::initialize(m, random);
  return octet::fuse(m, octet::Aim::training);
}

}  // namespace

int main(int argc, char** argv) try {
  using namespace octet;
  using namespace octet::testing;
  check(argc == 2, "usage: torch_networks FOLDER");
  const std::map<std::string, std::function<Model()>> networks{
      {"cnn", torch_cnn},
      {"cnn_half", torch_cnn},
      {"cnn_bfloat", torch_cnn},
      {"cnn_double", torch_cnn},
      {"cnn_fused", fused_cnn},
      {"cnn_unfused", fused_cnn},
      {"transposed", torch_transposed},
      {"sequence", torch_sequence},
      {"tokens", torch_tokens},
      {"channel_first", torch_channel_first},
      {"branches", torch_branches},
  };
  for (const auto& [name, make] : networks) {
    const std::string path = std::string(argv[1]) + "/" + name;
    Model model = make();
    Generator random(3);  // fused ones have parameters already; all of them are to change
    initialize(model, random);
    load_state_dict(model, path + ".safetensors", {.prefix = name == "cnn_double" ? "module." : ""});
    const Tensor x = load_npy_floats(path + ".x.npy");
    save_npy(path + ".y.npy", infer(model, {&x, 1})[0]);
    save_state_dict(model, path + ".back.safetensors");
  }
  std::printf("%zu networks\n", networks.size());
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}

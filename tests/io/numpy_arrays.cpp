// SPDX-License-Identifier: Apache-2.0
// What numpy_roundtrip.py runs: reads the archives given, writes every array into the folder named first.
#include <cstdio>

#include "io/npy.h"
#include "io/npz.h"

int main(int argc, char** argv) try {
  using namespace octet;
  check(argc >= 3, "usage: numpy_arrays FOLDER NPZ…");
  size_t count = 0;
  for (int i = 2; i < argc; ++i)
    for (const auto& [name, t] : load_npz(argv[i])) {
      save_npy(std::string(argv[1]) + "/" + std::to_string(i - 2) + "_" + name + ".npy", t);
      ++count;
    }
  std::printf("%zu arrays\n", count);
  return 0;
} catch (const std::exception& e) {
  std::fprintf(stderr, "%s\n", e.what());
  return 1;
}

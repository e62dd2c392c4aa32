// SPDX-License-Identifier: Apache-2.0
// Writes the file that python_roundtrip.py reads: all dtypes, an empty tensor, a scalar, metadata with quotes and non-ASCII text.
// With a second path it also reads that file, written by Python, and writes what it read to the third.
#include <iostream>
#include <vector>

#include "io/safetensors.h"

int main(int argc, char** argv) try {
  using namespace octet;
  if (argc == 4) {
    SafeTensors s = load_safetensors(argv[2]);
    check(s.notes.size() == 1, "a file of another program should load with a note");
    save_safetensors(argv[3], s);
  }
  check(argc == 2 || argc == 4, "usage: python_model OUT [IN OUT2]");
  SafeTensors s;
  s.tensors.emplace("f32", Tensor::of<float>({2, 3}, std::vector<float>{0, 1.5f, -2, 3e38f, 1e-45f, 0.1f}));
  s.tensors.emplace("f64", Tensor::of<double>({1}, std::vector<double>{0.1}));
  s.tensors.emplace("u8", Tensor::of<uint8_t>({3}, std::vector<uint8_t>{0, 128, 255}));
  s.tensors.emplace("i8", Tensor::of<int8_t>({3, 1}, std::vector<int8_t>{-128, 0, 127}));
  s.tensors.emplace("i16", Tensor::of<int16_t>({2}, std::vector<int16_t>{-32768, 32767}));
  s.tensors.emplace("i32", Tensor::of<int32_t>({2}, std::vector<int32_t>{-2147483647, 2147483647}));
  s.tensors.emplace("scalar", Tensor::full({}, 7));
  s.tensors.emplace("empty", Tensor({0, 4}, DType::f32));
  s.metadata = {{"text", "\"quoted\" größe\n"}};
  save_safetensors(argv[1], s);
  return 0;
} catch (const std::exception& e) {
  std::cerr << e.what() << '\n';
  return 1;
}

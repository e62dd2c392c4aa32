// SPDX-License-Identifier: Apache-2.0
// What a user's first program might be: build a network, quantize it, save it, load it, compare. It touches every library folder,
// so that a symbol or a header missing from the installed octet is seen here.
#include <cstdio>
#include <numeric>

#include "octet/octet.h"

int main() {
  using namespace octet;
  Model net;
  net.add("x", Input{{1, 8, 8, 3}});
  net.add("conv", Conv2d{.in = 3, .out = 8, .padding = {1, 1, 1, 1}});
  net.add("relu", Unary{UnaryFn::relu});
  Generator random(1);
  initialize(net, random);

  std::vector<float> pixels(size_t{8} * 8 * 3);
  std::iota(pixels.begin(), pixels.end(), -90.0f);
  const std::vector<Tensor> image{Tensor::of({1, 8, 8, 3}, pixels)};

  Model prepared = prepare(fuse(net, Aim::inference), QConfigMap{{"", octet_qconfig()}});
  calibrate(prepared, image);
  save_model("consumer.octet", convert(prepared));
  const Model int8 = load_model("consumer.octet").model;

  Session session(Program::bind(int8), {image[0].shape()});
  const Tensor expected = infer(net, image)[0], got = dequantize(session.run(image)[0]);
  const double db = sqnr(expected, got);
  std::printf("int8 against float: %.1f dB, %d convolution as an integer kernel\n", db, summarize(int8).int8_kernels);
  return db > 30 && summarize(int8).int8_kernels == 1 ? 0 : 1;
}

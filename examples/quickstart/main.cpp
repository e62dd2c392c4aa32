// SPDX-License-Identifier: Apache-2.0
// The workflow in twenty-five lines: the example of the README.
#include <cstdio>

#include "octet/octet.h"
using namespace octet;

int main() {
  Model net;  // a flat list of named modules; shapes are checked line by line
  net.add("image", Input{{1, 16, 16, 3}});
  net.add("conv", Conv2d{.in = 3, .out = 8, .padding = pad_all(1), .bias = false});
  net.add("bn", BatchNorm{8});
  net.add("relu", Unary{UnaryFn::relu});
  net.add("mean", Pool2d{.kind = Pool::adaptive_average});
  net.add("flatten", Reshape{{0, -1}});
  net.add("head", Linear{8, 10});
  Generator random(42);  // PyTorch's generator, to the bit
  initialize(net, random);

  Model prepared = prepare(fuse(net, Aim::inference), {{"", octet_qconfig()}});
  const Tensor data = rand(random, {64, 16, 16, 3});
  calibrate(prepared, {&data, 1});  // observers watch the data flow
  const Model int8 = convert(prepared);

  Session session(Program::bind(int8), {data.shape()});  // integer kernels from here on
  const Tensor logits = session.run({&data, 1})[0];
  std::printf("%d of %d weighted layers are int8 kernels\n", summarize(int8).int8_kernels, summarize(int8).weighted);
  std::printf("%s", to_table(compare_outputs(net, int8, {&data, 1})).c_str());
  std::printf("SQNR of the logits: %.1f dB\n", sqnr(infer(net, {&data, 1})[0], logits));
}

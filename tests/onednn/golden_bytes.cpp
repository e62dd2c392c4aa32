// SPDX-License-Identifier: Apache-2.0
// Whole models against bytes that are written down here: the same on every engine, CPU, instruction set cap, compiler, number of
// threads and batch split. Scales and zero points are set by hand, so that nothing depends on float arithmetic before the codes.
#include <cmath>
#include <set>

#include "compile/program.h"
#include "kernels/parallel.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/skip.h"

namespace octet::testing {
namespace {

constexpr int64_t kImages = 32;

/// Strided first layer, depthwise, pointwise, a fused residual, global pool, linear.
Model mobile() {
  Model m;
  m.add("x", Input{{1, 17, 15, 3}});
  m.add("stem", Conv2d{.in = 3, .out = 24, .stride = {2, 2}, .padding = {1, 0, 0, 1}, .act = Activation::relu});
  const int narrow = m.add("narrow", Conv2d{.in = 24, .out = 16, .kernel = {1, 1}});
  m.add("expand", Conv2d{.in = 16, .out = 40, .kernel = {1, 1}, .act = Activation::relu6});
  const int wide = m.add("depthwise", Conv2d{.in = 40, .out = 40, .padding = pad_all(1), .groups = 40, .act = Activation::relu6});
  m.add("project", Conv2d{.in = 40, .out = 16, .kernel = {1, 1}, .residual = true}, {wide, narrow});
  m.add("down", Conv2d{.in = 16, .out = 16, .stride = {2, 2}, .padding = pad_all(1), .groups = 16});
  m.add("head", Conv2d{.in = 16, .out = 64, .kernel = {1, 1}, .act = Activation::relu});
  m.add("pool", Pool2d{.kind = Pool::adaptive_average});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{64, 10});
  return m;
}

/// Dense, dilated and grouped convolutions, max and average pools, concatenation, a sum with relu.
Model branches() {
  Model m;
  m.add("x", Input{{1, 16, 16, 4}});
  const int stem = m.add("stem", Conv2d{.in = 4, .out = 32, .padding = pad_all(1), .act = Activation::relu});
  const int dilated = m.add("dilated", Conv2d{.in = 32, .out = 32, .dilation = {2, 2}, .padding = pad_all(2)}, {stem});
  const int grouped = m.add("grouped", Conv2d{.in = 32, .out = 32, .padding = pad_all(1), .groups = 2}, {stem});
  const int sum = m.add("sum", Binary{BinaryFn::add, Activation::relu}, {dilated, grouped});
  const int high = m.add("high", Pool2d{.kernel = {3, 3}, .stride = {2, 2}, .padding = pad_all(1)}, {sum});
  const int mean = m.add("mean", Pool2d{.kind = Pool::average}, {stem});
  m.add("both", Concat{3}, {high, mean});
  m.add("mix", Conv2d{.in = 64, .out = 48, .stride = {2, 2}, .padding = pad_all(1), .act = Activation::relu});
  m.add("rows", Reshape{{0, -1}});
  m.add("fc", Linear{4 * 4 * 48, 12});
  return m;
}

Tensor pictures(const Model& m) {
  Generator g(5);
  Shape shape = m.modules[0].nominal[0];
  shape[0] = kImages;
  return rand(g, shape);
}

/// Ranges as calibration finds them, widened to a power of two; `i8` codes lie around zero.
Model quantized(Model m, bool i8) {
  Generator g(7);
  initialize(m, g);
  const Tensor x = pictures(m);
  QConfig config = octet_qconfig();
  config.averages = false;  // average pools among the operators
  Model p = prepare(m, {{"", config}});
  calibrate(p, {&x, 1});
  Model int8 = convert(p);
  for (size_t i = 0; i < int8.modules.size(); ++i) {
    Module& module = int8.modules[i];
    if (keeps_qparams(module.op)) {
      module.out_q = int8.modules[static_cast<size_t>(module.inputs[0].module)].out_q;
      continue;
    }
    QParams& q = *module.out_q.at(0);
    const bool positive = q.zero_point[0] == 0;
    q.scale = {std::exp2(std::ceil(std::log2(q.scale[0] * 1.01F)))};
    q.qmin = i8 ? -128 : 0, q.qmax = i8 ? 127 : 255;
    q.zero_point = {positive ? q.qmin : q.qmin + 120};
  }
  return int8;
}

/// FNV-1a.
uint64_t digest(const Tensor& t) {
  uint64_t h = 0xcbf29ce484222325;
  const auto* bytes = static_cast<const uint8_t*>(t.raw());
  for (size_t i = 0; i < t.bytes(); ++i) h = (h ^ bytes[i]) * 0x100000001b3;
  return h;
}

TEST_CASE("the bytes of whole models are these") {
  struct Golden {
    const char* name;
    Model (*make)();
    bool i8;
    uint64_t logits;
  };
  for (const Golden& golden :
       {Golden{"mobile u8", mobile, false, 0xed031488f21cdbc5}, Golden{"mobile i8", mobile, true, 0x196543e9242937c5},
        Golden{"branches u8", branches, false, 0x5e0a73bed2cee6c4}, Golden{"branches i8", branches, true, 0xba3cd4b1328de6c4}}) {
    INFO(golden.name);
    const Model int8 = quantized(golden.make(), golden.i8);
    REQUIRE(summarize(int8).int8_kernels == (golden.make == mobile ? 8 : 5));
    const Tensor x = pictures(int8);
    const Tensor logits = infer(int8, {&x, 1})[0];
    const auto* codes = static_cast<const uint8_t*>(logits.raw());
    CHECK(std::set<uint8_t>(codes, codes + logits.numel()).size() > 20);  // the network says something
    CHECK(digest(logits) == golden.logits);
    for (const QEngineInfo& info : qengines()) {
      if (!info.available) {
        skip_part("an engine", info.why_not);
        continue;
      }
      INFO(to_string(info.engine));
      const auto program = Program::bind(int8, info.engine);
      for (int n = 1; n <= 7; ++n) {
        INFO(n << " threads");
        const Tensor whole = Session(program, {x.shape()}, n).run({&x, 1})[0];
        REQUIRE(whole.dtype() == (golden.i8 ? DType::i8 : DType::u8));
        CHECK(digest(whole) == golden.logits);
        Session single(program, {slice_rows(x, 0, 1).shape()}, n);
        std::vector<Tensor> parts;
        for (int64_t i = 0; i < kImages; ++i) {
          const Tensor one = slice_rows(x, i, i + 1);
          parts.push_back(single.run({&one, 1})[0]);
        }
        CHECK(digest(concat(parts, 0)) == golden.logits);
      }
    }
  }
}

}  // namespace
}  // namespace octet::testing

// SPDX-License-Identifier: Apache-2.0
// Padding with a constant: codes must reach it.
#include <cmath>

#include "compile/program.h"
#include "numeric_suite/compare.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/kernels/fills.h"
#include "tests/quant/support.h"
#include "tests/same.h"

using namespace octet;
using octet::testing::same;

TEST_CASE("a constant that is outside the input's range is within the range of the padded value") {
  for (const double value : {0.0, 5.0, -2.5, 0.125})
    for (const Rounding rounding : octet::testing::kRoundings) {
      CAPTURE(value, to_string(rounding));
      Model m;
      m.rounding = rounding;
      m.add("x", Input{{1, 6, 6, 3}});
      m.add("pad", Pad{{0, 1, 1, 0}, {0, 1, 1, 0}, PadMode::constant, value});
      m.add("conv", Conv2d{.in = 3, .out = 4});
      m = drawn(std::move(m), 2);
      Generator g(3);
      const Tensor x = uniform(g, {4, 6, 6, 3}, 0, 1);
      Model prepared = prepare(m, {{"", octet_qconfig()}});
      CHECK(prepared["pad"].hooks.contains("output") == (value != 0));
      calibrate(prepared, {&x, 1});
      const Model int8 = convert(prepared);
      CHECK(runs_quantized(int8, int8.index("pad")));
      CHECK(keeps_qparams(int8["pad"].op) == (value == 0));
      const QParams& q = *int8["pad"].out_q[0];
      const double low = static_cast<double>(q.scale[0]) * (q.qmin - q.zero_point[0]),
                   high = static_cast<double>(q.scale[0]) * (q.qmax - q.zero_point[0]);
      CHECK((low <= value + 0.01 && value - 0.01 <= high));
      const double db = sqnr(infer(m, {&x, 1})[0], dequantize(infer(int8, {&x, 1})[0]));
      REQUIRE(std::isfinite(db));
      CHECK(db > 33);
      for (const QEngineInfo& info : qengines())
        if (info.available)
          CHECK(same(Session(Program::bind(int8, info.engine), {x.shape()}, 2).run({&x, 1})[0], infer(int8, {&x, 1})[0]));
    }
}

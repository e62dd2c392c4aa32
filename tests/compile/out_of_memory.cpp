// SPDX-License-Identifier: Apache-2.0
// Memory that runs out, at any allocation of any function, is an Error; so is a tensor that no machine has memory for.
#include <functional>

#include "compile/program.h"
#include "io/firmware_plan.h"
#include "io/image.h"
#include "numeric_suite/compare.h"
#include "numeric_suite/report.h"
#include "quant/correct_bias.h"
#include "quant/equalize.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/compile/allocations.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

Model network() {
  Model m;
  m.add("x", Input{{1, 5, 5, 2}});
  m.add("conv", Conv2d{.in = 2, .out = 4});
  m.add("bn", BatchNorm{4});
  m.add("next", Conv2d{.in = 4, .out = 4, .kernel = {1, 1}});
  m.add("flat", Reshape{{0, -1}});
  m.add("head", Linear{36, 3});
  Generator g(1);
  initialize(m, g);
  return m;
}

}  // namespace

TEST_CASE("every function says in an Error that memory ran out, whichever allocation fails") {
  Generator g(2);
  const Tensor x = randn(g, {2, 5, 5, 2});
  const Model m = network();
  Model p = prepare(fuse(m, Aim::inference), {{"", octet_qconfig()}});
  calibrate(p, {&x, 1});
  const Model int8 = convert(p);
  REQUIRE(summarize(int8).int8_kernels >= 2);
  // Arguments are made here, so that what fails below is the functions' own.
  Model trained = m, calibrated = p;
  const Batches data(std::span<const Tensor>(&x, 1));
  const std::vector<Shape> shapes{x.shape()};
  const QConfigMap map{{"", octet_qconfig()}};
  const FirmwarePlan plan = plan_firmware(int8);
  const ForwardOptions forward_options;
  const CompareOptions compare_options;
  const ReportOptions report_options;
  const CorrectBiasOptions correct_options;
  const EqualizeOptions equalize_options;
  const FirmwareOptions firmware_options;
  const QEngineMap engines;
  const Progress progress;
  const std::pair<const char*, std::function<void()>> functions[] = {
      {"infer",
       [&] {
         infer(int8, {&x, 1});
       }},
      {"forward",
       [&] {
         forward(trained, {&x, 1}, Mode::train, forward_options);
       }},
      {"infer_shapes", [&] { infer_shapes(m, shapes); }},
      {"fuse", [&] { static_cast<void>(fuse(m, Aim::inference)); }},
      {"prepare", [&] { static_cast<void>(prepare(m, map)); }},
      {"calibrate", [&] { calibrate(calibrated, data, progress); }},
      {"convert", [&] { static_cast<void>(convert(p)); }},
      {"bind", [&] { bind(int8, QEngine::automatic, engines); }},
      {"compare", [&] { compare(m, int8, data, compare_options); }},
      {"report", [&] { make_report(m, int8, data, report_options); }},
      {"correct_bias", [&] { static_cast<void>(correct_bias(m, int8, data, correct_options)); }},
      {"equalize", [&] { static_cast<void>(equalize(m, equalize_options)); }},
      {"plan_firmware", [&] { plan_firmware(int8, firmware_options); }},
      {"image_bytes", [&] { static_cast<void>(image_bytes(plan)); }}};
  // Not model_bytes: the JSON library's values allocate while they are destroyed.
  for (const auto& [name, function] : functions) {
    function();  // what is kept from a first call is there now
    int refused = 0, escaped = 0;
    bool through = false;
    for (int64_t n = 1; !through && n < 20'000; n += 1 + n / 12) {
      allocations::fail_after(n);
      try {
        function();
        through = true;
      } catch (const Error&) {
        ++refused;
      } catch (const std::bad_alloc&) {
        ++escaped;
      }
      allocations::fail_after(0);
    }
    CAPTURE(name);
    CHECK(through);
    CHECK(refused > 3);
    CHECK(escaped == 0);
  }
}

TEST_CASE("a tensor that no machine has memory for is refused with its bytes and its module") {
  CHECK_THROWS_WITH(Tensor({int64_t{1} << 50}, DType::f32),
                    Contains("4503599627370496 bytes for a tensor of f32 [1125899906842624]"));
  CHECK_THROWS_WITH(Tensor({int64_t{1} << 31, int64_t{1} << 31, 4}, DType::f32), Contains("too many elements"));
  CHECK_THROWS_WITH(Tensor({-1}, DType::f32), Contains("negative dimension"));
  CHECK_THROWS_WITH(Tensor({2, 3}, DType::f32).size(2), Contains("axis 2 of a tensor of shape [2, 3]"));
  Model m;
  m.add("x", Input{{1, 1}});
  m.add("wide", Linear{1, 1 << 30, false});
  m["wide"].params["weight"] = Tensor({1 << 30, 1}, DType::f32);
  const Tensor x = Tensor::zeros({1 << 12, 1});
  CHECK_THROWS_WITH(infer(m, {&x, 1}), Contains("wide: out of memory: 17592186044416 bytes"));
}

// SPDX-License-Identifier: Apache-2.0
// Float, prepared and int8 models survive a file: equal outputs, equal observers, equal conversion.
#include <cstring>

#include "io/model_file.h"
#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/numerics/reference_models.h"

using namespace octet;
using namespace octet::reference;

namespace {

Model reloaded(const Model& m) { return parse_model(model_bytes(m, "memory"), "memory", make_hook).model; }

bool same_outputs(const Model& a, const Model& b, const Tensor& x) {
  const Tensor p = one(a, x), q = one(b, x);
  return p.shape() == q.shape() && p.dtype() == q.dtype() && p.qparams() == q.qparams() &&
         std::memcmp(p.raw(), q.raw(), p.bytes()) == 0;
}

}  // namespace

TEST_CASE("float, prepared and int8 models give the same bytes after a file") {
  Generator g(9);
  Model model = multiple_ops_no_avg_pool();
  initialize(model, g);
  const Tensor x = pictures(g, 10), more = pictures(g, 10);
  CHECK(same_outputs(model, reloaded(model), x));

  for (const QConfig& qconfig : {octet_qconfig(), octet_qat_qconfig(), default_qconfig(), default_symmetric_qnnpack_qat_qconfig()})
    for (const Ties ties : {Ties::own, Ties::shared}) {
      Model prepared = prepare(fuse(model, kFusion, Aim::training), {{"", qconfig}}, ties);
      calibrate(prepared, {&x, 1});
      Model again = reloaded(prepared);
      CHECK(summarize(again).output_hooks == summarize(prepared).output_hooks);
      CHECK(same_outputs(prepared, again, x));
      // Calibration goes on after loading as if there had been no file.
      calibrate(prepared, {&more, 1});
      calibrate(again, {&more, 1});
      const Model int8 = convert(prepared);
      REQUIRE(summarize(int8).int8_kernels == 4);
      CHECK(same_outputs(int8, convert(again), x));
      CHECK(same_outputs(int8, reloaded(int8), x));
    }
}

TEST_CASE("the rounding of a model is stored with it") {
  Model model = multiple_ops();
  Generator g(9);
  initialize(model, g);
  model.rounding = Rounding::fixed_single;
  CHECK(reloaded(model).rounding == Rounding::fixed_single);
}

TEST_CASE("a prepared model asks for a hook factory when it is loaded") {
  Model model = multiple_ops();
  Generator g(9);
  initialize(model, g);
  const Bytes bytes = model_bytes(prepare(model, {{"", octet_qconfig()}}), "memory");
  CHECK_THROWS_WITH(parse_model(bytes, "model.safetensors"),
                    Catch::Matchers::Contains("model.safetensors") && Catch::Matchers::Contains("hook kind"));
}

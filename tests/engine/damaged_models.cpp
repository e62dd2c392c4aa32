// SPDX-License-Identifier: Apache-2.0
// A public Model can be edited into anything. Whatever it is then, every function works or says in one error which module is wrong.
#include <functional>

#include "compile/explain.h"
#include "compile/program.h"
#include "engine/autograd.h"
#include "io/firmware_plan.h"
#include "io/model_file.h"
#include "numeric_suite/compare.h"
#include "numeric_suite/diagnose.h"
#include "quant/correct_bias.h"
#include "quant/data_free.h"
#include "quant/equalize.h"
#include "quant/quantize.h"
#include "tests/catch.h"

using namespace octet;

namespace {

Model network() {
  Model m;
  m.add("x", Input{{2, 6, 6, 3}});
  m.add("conv", Conv2d{.in = 3, .out = 4, .padding = pad_all(1)});
  m.add("bn", BatchNorm{4});
  m.add("relu", Unary{UnaryFn::relu});
  m.add("same", Conv2d{.in = 4, .out = 4, .padding = pad_all(1)});
  m.add_tied("again", "same");
  m.add("sum", Binary{}, {m.index("again"), m.index("relu")});
  m.add("cat", Concat{3}, {m.index("sum"), m.index("relu")});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flat", Reshape{{0, -1}});
  m.add("head", Linear{8, 3});
  Generator g(1);
  initialize(m, g);
  return m;
}

int64_t odd_number(Generator& g) {
  constexpr int64_t kNumbers[] = {-1, 0, 1, 2, 3, 5, 7, 1 << 10, int64_t{1} << 50, INT64_MAX, INT64_MIN};
  return kNumbers[g.next32() % std::size(kNumbers)];
}

/// One attribute of an operator.
void damage(Op& op, Generator& g) {
  const int64_t n = odd_number(g);
  const uint32_t which = g.next32() % 6;
  if (auto* conv = std::get_if<Conv2d>(&op)) {
    int64_t* const fields[] = {&conv->in, &conv->out, &conv->kernel.h, &conv->stride.w, &conv->dilation.h, &conv->groups};
    *fields[which] = n;
    if (which == 0) conv->padding.left = n;
  }
  if (auto* linear = std::get_if<Linear>(&op)) (which % 2 ? linear->in : linear->out) = n;
  if (auto* norm = std::get_if<BatchNorm>(&op)) {
    if (which == 0) norm->channels = n;
    if (which == 1) norm->eps = std::numeric_limits<double>::quiet_NaN();
    if (which == 2) norm->eps = -1;
  }
  if (auto* concat = std::get_if<Concat>(&op)) concat->axis = static_cast<int>(n);
  if (auto* reshape = std::get_if<Reshape>(&op)) reshape->shape = {n, which % 2 ? n : -1};
  if (auto* input = std::get_if<Input>(&op)) input->shape[which % input->shape.size()] = n;
  if (auto* pool = std::get_if<Pool2d>(&op)) {
    pool->kind = static_cast<Pool>(which);
    pool->kernel = {n, 2}, pool->stride = {2, n};
  }
  if (auto* unary = std::get_if<Unary>(&op)) unary->fn = static_cast<UnaryFn>(which + 1);
}

/// One parameter: gone, another's, another shape, another type.
void damage(Params& params, Generator& g) {
  if (params.empty()) return;
  auto at = params.begin();
  std::advance(at, g.next32() % params.size());
  switch (g.next32() % 6) {
    case 0: params.erase(at); break;
    case 1: params["other"] = at->second; break;
    case 2: at->second = Tensor::zeros({1}); break;
    case 3: at->second = Tensor(); break;
    case 4: at->second = Tensor::zeros(at->second.shape(), DType::i8); break;
    default: at->second = at->second.dtype() == DType::f32 ? at->second.to(DType::f64) : at->second.without_qparams();
  }
}

/// One edit that a program might make by mistake.
std::string damage(Model& m, Generator& g) {
  const auto below = [&](size_t n) { return static_cast<size_t>(g.next32()) % n; };
  const size_t i = below(m.modules.size());
  Module& module = m.modules[i];
  const int numbers[] = {-1,      0,        static_cast<int>(i), static_cast<int>(i) + 1, static_cast<int>(m.modules.size()),
                         1 << 30, INT32_MIN};
  const int number = numbers[below(std::size(numbers))];
  const size_t kind = below(21);
  if (kind == 0 && !module.inputs.empty()) module.inputs[0].module = number;
  if (kind == 1 && !module.inputs.empty()) module.inputs.back().port = number;
  if (kind == 2) module.inputs.clear();
  if (kind == 3) module.inputs.push_back({number, 0});
  if (kind == 4) std::swap(module, m.modules[below(m.modules.size())]);
  if (kind == 5) module.path = m.modules[below(m.modules.size())].path;
  if (kind == 6) module.path.clear();
  if (kind == 7) module.tied_to = below(2) == 0 ? "nothing" : m.modules[below(m.modules.size())].path;
  if (kind == 8) module.nominal.clear();
  if (kind == 9) module.nominal.resize(3);
  if (kind == 10) module.out_q.resize(below(3));
  if (kind == 11) module.out_q = {QParams{{}, {}, -1, 0, 0, 255}};
  if (kind == 12) module.params.clear();
  if (kind == 13) module.op = m.modules[below(m.modules.size())].op;
  if (kind == 14) m.outputs = {{number, number}};
  if (kind == 15) m.rounding = static_cast<Rounding>(77);
  if (kind == 16) module.hooks["output"] = HookBox();
  if (kind == 17) m.modules.erase(m.modules.begin() + static_cast<std::ptrdiff_t>(i));
  if (kind == 18 && !module.nominal.empty() && !module.nominal[0].empty())
    module.nominal[0][below(module.nominal[0].size())] = odd_number(g);
  if (kind == 19) damage(module.params, g);
  if (kind == 20) damage(module.op, g);
  return "edit " + std::to_string(kind) + " of module " + std::to_string(i) + " with " + std::to_string(number);
}

using Entry = std::pair<const char*, std::function<void(const Model&)>>;

std::vector<Entry> entries(const Tensor& x, const Model& good, const Model& good_int8) {
  const std::vector<Shape> shapes{x.shape()};
  return {{"infer",
           [&](const Model& m) {
             infer(m, {&x, 1});
           }},
          {"infer_shapes", [=](const Model& m) { infer_shapes(m, shapes); }},
          {"forward",
           [&](const Model& m) {
             Model copy = m;
             forward(copy, {&x, 1}, Mode::train);
           }},
          {"infer_module",
           [&](const Model& m) {
             infer_module(m, static_cast<int>(m.modules.size()) - 1, {&x, 1});
           }},
          {"lower", [=](const Model& m) { lower(m, 1, shapes); }},
          {"fuse", [](const Model& m) { static_cast<void>(fuse(m, Aim::inference)); }},
          {"fuse for training", [](const Model& m) { static_cast<void>(fuse(m, Aim::training)); }},
          {"prepare",
           [](const Model& m) {
             static_cast<void>(prepare(m, {{"", octet_qconfig()}}));
           }},
          {"convert", [](const Model& m) { static_cast<void>(convert(m)); }},
          {"calibrate",
           [&](const Model& m) {
             Model copy = m;
             calibrate(copy, {&x, 1});
           }},
          {"summarize", [](const Model& m) { summarize(m); }},
          {"bind and run",
           [&](const Model& m) {
             Session session(Program::bind(m), {x.shape()});
             session.run({&x, 1});
           }},
          {"explain", [](const Model& m) { explain(Program::bind(m), {}, 1); }},
          {"plan_firmware", [](const Model& m) { plan_firmware(m); }},
          {"model_bytes", [](const Model& m) { static_cast<void>(model_bytes(m, "model")); }},
          {"compare",
           [&](const Model& m) {
             compare(m, good_int8, {&x, 1});
           }},
          {"compare, quantized",
           [&](const Model& m) {
             compare(good, m, {&x, 1});
           }},
          {"diagnose",
           [&](const Model& m) {
             diagnose(good, m, {&x, 1});
           }},
          {"correct_bias",
           [&](const Model& m) {
             static_cast<void>(correct_bias(good, m, {&x, 1}));
           }},
          {"equalize", [](const Model& m) { static_cast<void>(equalize(m)); }},
          {"data_free",
           [](const Model& m) {
             static_cast<void>(data_free(m, {.input = {-3, 3, 0.0, 1.0}}));
           }},
          {"initialize",
           [](const Model& m) {
             Model copy = m;
             Generator g(1);
             initialize(copy, g);
           }},
          {"to", [](const Model& m) { cast(m, DType::f64); }}};
}

}  // namespace

TEST_CASE("a damaged model is refused by name, or works, in every function that takes one") {
  Generator g(7);
  const Model good = network();
  const Tensor x = randn(g, {2, 6, 6, 3});
  Model prepared = prepare(fuse(good, Aim::inference), {{"", octet_qconfig()}});
  calibrate(prepared, {&x, 1});
  const Model int8 = convert(prepared);
  REQUIRE(summarize(int8).int8_kernels == 4);
  const auto functions = entries(x, good, int8);
  int refused = 0, worked = 0;
  for (int repeat = 0; repeat < 1500; ++repeat) {
    Model m = repeat % 3 == 0 ? good : repeat % 3 == 1 ? prepared : int8;
    std::string what = damage(m, g);
    if (repeat % 5 == 0) what += ", " + damage(m, g);
    for (const auto& [name, function] : functions) {
      CAPTURE(what, name);
      try {
        function(m);
        ++worked;
      } catch (const Error& e) {
        INFO(e.what());
        CHECK(std::string(e.what()).find(':') != std::string::npos);
        ++refused;
      }
    }
  }
  CHECK(refused > 8000);
  INFO(refused << " refused, " << worked << " worked");
  CHECK(worked > 4000);
}

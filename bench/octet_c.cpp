// SPDX-License-Identifier: Apache-2.0
// A few C functions around a session, so that bench/rivals.py can run octet in the same process, with the same clock and the same
// turns as the other engines. For the benches only: not installed, not an interface to build on.
#include <algorithm>
#include <cmath>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "compile/program.h"
#include "io/model_file.h"

using namespace octet;

namespace {

struct Runner {
  std::shared_ptr<const Program> program;
  Session session;
  Tensor input;
  std::vector<float> output;
  bool softmax;
};

thread_local std::string g_error;

Tensor input_of(const Model& model, int64_t batch, const float* values) {
  for (const Module& m : model.modules)
    if (std::holds_alternative<Input>(m.op)) {
      Shape shape = m.nominal[0];
      shape[0] = batch;
      Tensor t(shape, DType::f32);
      std::copy_n(values, t.numel(), t.mutable_data<float>().begin());
      return t;
    }
  fail("the model has no input");
}

QEngine engine_of(std::string_view name) {
  for (const QEngineInfo& info : qengines())
    if (name == to_string(info.engine)) return info.engine;
  check(name == to_string(QEngine::automatic), "no engine \"", name, "\"");
  return QEngine::automatic;
}

void softmax_rows(std::vector<float>& values, int64_t row) {
  for (auto begin = values.begin(); begin < values.end(); begin += row) {
    const float most = *std::max_element(begin, begin + row);
    float sum = 0;
    for (auto v = begin; v < begin + row; ++v) sum += * v = std::exp(*v - most);
    for (auto v = begin; v < begin + row; ++v) *v /= sum;
  }
}

/// What the other engines give, too: floats.
void run_once(Runner& r) {
  const Tensor result = dequantize(r.session.run({&r.input, 1})[0]);
  const std::span<const float> values = result.data<float>();
  r.output.assign(values.begin(), values.end());
  if (r.softmax) softmax_rows(r.output, result.shape().back());
}

}  // namespace

extern "C" {

/// What the last call of this thread that failed had to say.
const char* octet_bench_error() { return g_error.c_str(); }

/// A model file ready to run on `batch` inputs of NHWC floats, which are copied; null: see octet_bench_error().
void* octet_bench_open(const char* path, const char* engine, int batch, int threads, int softmax, const float* input) {
  try {
    const Model model = load_model(path).model;
    auto program = Program::bind(model, engine_of(engine));
    Tensor x = input_of(model, batch, input);
    Session session(program, {x.shape()}, threads);
    return new Runner{std::move(program), std::move(session), std::move(x), {}, softmax != 0};
  } catch (const std::exception& e) {
    g_error = e.what();
    return nullptr;
  }
}

/// 0, or 1 with octet_bench_error().
int octet_bench_run(void* runner) {
  try {
    run_once(*static_cast<Runner*>(runner));
    return 0;
  } catch (const std::exception& e) {
    g_error = e.what();
    return 1;
  }
}

/// The floats of the last run and how many there are.
const float* octet_bench_output(void* runner, long* count) {
  const std::vector<float>& output = static_cast<Runner*>(runner)->output;
  *count = static_cast<long>(output.size());
  return output.data();
}

void octet_bench_close(void* runner) { delete static_cast<Runner*>(runner); }

}  // extern "C"

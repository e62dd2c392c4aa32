// SPDX-License-Identifier: Apache-2.0
// Sessions for full batches and for what is left.
#include "tools/octet/running.h"

#include <algorithm>
#include <cmath>

#include "engine/quantize.h"
#include "engine/random.h"
#include "kernels/parallel.h"
#include "tools/octet/arguments.h"
#include "tools/octet/verb.h"
#include "tools/progress.h"

namespace octet::cli {
namespace {

bool takes(const Model& model, int64_t rows) {
  try {
    const auto shapes = infer_shapes(model, input_shapes(model, rows));
    return std::ranges::all_of(model.output_wires(), [&](const Wire& w) {
      const Shape& s = shapes[static_cast<size_t>(w.module)][static_cast<size_t>(w.port)];
      return !s.empty() && s[0] == rows;
    });
  } catch (const Error&) {
    return false;
  }
}

int64_t nominal_rows(const Model& model) {
  for (const Module& m : model.modules)
    if (std::holds_alternative<Input>(m.op) && !m.nominal[0].empty()) return m.nominal[0][0];
  return 1;
}

}  // namespace

void Running::add(CLI::App& verb, const std::string& batch_default) {
  std::vector<std::string> names{"automatic"};
  for (const QEngineInfo& info : qengines()) names.emplace_back(to_string(info.engine));
  verb.add_option("--engine", engine, "who computes the integer layers")
      ->check(CLI::IsMember(names))
      ->capture_default_str()
      ->group(kRunGroup);
  verb.add_option("--threads", threads, "threads (default: the hardware's)")->check(whole_number(1, 1024))->group(kRunGroup);
  if (batch_default.empty()) return;
  verb.add_option("--batch", batch, "inputs at once (default: " + batch_default + ")")
      ->check(whole_number(1, 1 << 20))
      ->group(kRunGroup);
}

void Running::apply() const {
  if (threads > 0) set_threads(threads);
}

QEngine Running::qengine() const {
  for (const QEngineInfo& info : qengines())
    if (engine == to_string(info.engine)) return info.engine;
  return QEngine::automatic;
}

std::vector<Shape> input_shapes(const Model& model, int64_t batch) {
  std::vector<Shape> shapes;
  for (const Module& module : model.modules) {
    if (!std::holds_alternative<Input>(module.op)) continue;
    shapes.push_back(module.nominal[0]);
    check(!shapes.back().empty(), module.path, ": a scalar input has no batch");
    shapes.back()[0] = batch;
  }
  return shapes;
}

int64_t usable_batch(const Model& model, int64_t wanted) { return takes(model, wanted) ? wanted : nominal_rows(model); }

RowRunner::RowRunner(const Model& model, const Running& running, const std::string& name) : name_(name) {
  constexpr int64_t kBatch = 32;
  running.apply();
  try {
    program_ = Program::bind(model, running.qengine());
    batch_ = usable_batch(model, running.batch > 0 ? running.batch : kBatch);
  } catch (const Error& e) {
    fail(name, ": ", e.what());
  }
}

std::vector<Tensor> RowRunner::run(std::span<const Tensor> inputs, const std::function<void(int64_t)>& progress) const try {
  const int64_t rows = inputs[0].size(0);
  std::optional<Session> session;
  std::vector<std::vector<Tensor>> parts;
  for (int64_t at = 0; at < rows; at += batch_) {
    const int64_t end = std::min(at + batch_, rows);
    check(end - at == batch_ || takes(program_->model(), end - at), "the network takes ", batch_, " rows at once, the data have ",
          rows);
    std::vector<Tensor> batch;
    std::vector<Shape> shapes;
    for (const Tensor& t : inputs) shapes.push_back(batch.emplace_back(slice_rows(t, at, end)).shape());
    if (at == 0 || end - at != batch_) session.emplace(program_, shapes);
    const std::span<const Tensor> out = session->run(batch);
    parts.resize(out.size());
    for (size_t i = 0; i < out.size(); ++i) {
      check(out[i].rank() > 0 && out[i].size(0) == end - at, "output ", i, " has shape ", to_string(out[i].shape()), " for ",
            end - at, " rows");
      parts[i].push_back(out[i]);
    }
    if (progress) progress(end);
  }
  std::vector<Tensor> outputs;
  for (const std::vector<Tensor>& p : parts) outputs.push_back(p.size() == 1 ? p[0] : concat(p, 0));
  return outputs;
} catch (const Error& e) {
  fail(name_, ": ", e.what());
}

int64_t right_answers(const Tensor& logits, const Tensor& labels, int64_t top) {
  const Tensor values = dequantize(logits);
  const int64_t classes = values.size(1);
  int64_t right = 0;
  for (int64_t i = 0; i < labels.numel(); ++i) {
    const std::span<const float> row = values.data<float>().subspan(static_cast<size_t>(i * classes), static_cast<size_t>(classes));
    const auto label = static_cast<size_t>(labels.data<int32_t>()[static_cast<size_t>(i)]);
    int64_t before = 0;
    for (size_t c = 0; c < row.size(); ++c) before += row[c] > row[label] || (row[c] == row[label] && c < label);
    right += before < top;
  }
  return right;
}

void check_labels(const Tensor& labels, const std::string& file, const Model& model, const std::string& model_file, int64_t rows) {
  check(labels.shape() == Shape{rows}, file, ": expected ", rows, " labels, got shape ", to_string(labels.shape()));
  const Wire out = model.output_wires()[0];
  const Shape& logits = model.modules[static_cast<size_t>(out.module)].nominal.at(static_cast<size_t>(out.port));
  check(logits.size() == 2, file, ": the output ", model.modules[static_cast<size_t>(out.module)].path, " of ", model_file, " is ",
        to_string(logits), ", labels need [n, classes]");
  for (int64_t i = 0; i < labels.numel(); ++i) {
    const int32_t label = labels.data<int32_t>()[static_cast<size_t>(i)];
    check(label >= 0 && label < logits[1], file, ": element ", i, " is ", label, ", the model has ", logits[1], " classes");
  }
}

double Times::at(double share) const {
  std::vector<double> sorted = micros;
  std::ranges::sort(sorted);
  return sorted.at(static_cast<size_t>(std::lround(share * static_cast<double>(sorted.size() - 1))));
}

void time_runs(Session& session, std::span<const Tensor> inputs, int runs, Times& times) {
  for (int i = 0; i < runs; ++i) {
    const double begin = tools::now();
    session.run(inputs);
    times.micros.push_back((tools::now() - begin) * 1e6);
  }
}

std::vector<Tensor> random_inputs(const Model& model, int64_t rows, uint64_t seed) {
  Generator random(seed);
  std::vector<Tensor> inputs;
  for (const Shape& shape : input_shapes(model, rows)) inputs.push_back(randn(random, shape));
  return inputs;
}

}  // namespace octet::cli

// SPDX-License-Identifier: Apache-2.0
// Checking labels before anything is computed, and the sums behind the headline figures.
#include "numeric_suite/output_figures.h"

#include <cmath>

#include "engine/loss.h"

namespace octet {

void check_labels(std::span<const Tensor> labels, const Batches& batches, const Model& model, std::string_view who) {
  if (labels.empty()) return;
  check(static_cast<int64_t>(labels.size()) == batches.count(), who, ": ", labels.size(), " label tensors for ", batches.count(),
        " batches");
  const Wire out = model.output_wires()[0];
  const Shape& logits = model.modules[out.module].nominal.at(out.port);
  check(logits.size() == 2, who, ": labels need logits [n, classes], the output of ", model.modules[out.module].path, " is ",
        to_string(logits));
  for (size_t b = 0; b < labels.size(); ++b) {
    const Tensor& l = labels[b];
    check(l.dtype() == DType::i32, who, ": batch ", b, " has labels of type ", to_string(l.dtype()), ", expected i32");
    for (int64_t i = 0; i < l.numel(); ++i) {
      const int32_t label = l.data<int32_t>()[i];
      check(label >= 0 && label < logits[1], who, ": batch ", b, " has label ", label, " at index ", i, ", the model has ",
            logits[1], " classes");
    }
    if (!batches.held()) continue;
    const int64_t rows = rows_of(batches.batch(static_cast<int64_t>(b), model, who));
    check(l.shape() == Shape{rows}, who, ": batch ", b, " has ", rows, " rows and labels of shape ", to_string(l.shape()));
  }
}

double squared_difference(const Tensor& a, const Tensor& b) {
  const auto x = a.data<float>(), y = b.data<float>();
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) {
    const double d = static_cast<double>(x[i]) - static_cast<double>(y[i]);
    sum += d * d;
  }
  return sum;
}

void OutputSums::add(const Tensor& expected, const Tensor& got, const Tensor* labels) {
  check(expected.shape() == got.shape(), "outputs: the float network's has shape ", to_string(expected.shape()), ", the other's ",
        to_string(got.shape()));
  signal_ += squared_difference(expected, Tensor::zeros(expected.shape())), noise_ += squared_difference(expected, got);
  check(std::isfinite(signal_) && std::isfinite(noise_), "outputs: a value is not finite");
  samples_ += expected.rank() == 0 ? 1 : expected.size(0);
  if (!labels) return;
  labelled_ = true;
  right_float_ += count_correct(expected, *labels), right_quantized_ += count_correct(got, *labels);
}

OutputFigures OutputSums::figures() const {
  OutputFigures f;
  f.samples = samples_;
  f.sqnr_db = noise_ == 0 ? INFINITY : signal_ == 0 ? -INFINITY : 10 * std::log10(signal_ / noise_);
  if (labelled_ && samples_ > 0) {
    f.float_accuracy = static_cast<double>(right_float_) / static_cast<double>(samples_);
    f.quantized_accuracy = static_cast<double>(right_quantized_) / static_cast<double>(samples_);
  }
  return f;
}

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// Cross-entropy in the log-sum-exp form, mean squared error, top-1 hits.
#include "engine/loss.h"
#include "kernels/float_scope.h"

#include <algorithm>
#include <cmath>

namespace octet {
namespace {

void check_labels(const Tensor& logits, const Tensor& labels, const char* who) {
  check(logits.rank() == 2, who, ": logits must be [n, classes], got ", to_string(logits.shape()));
  check(labels.dtype() == DType::i32 && labels.shape() == Shape{logits.size(0)}, who, ": expected ", logits.size(0),
        " i32 labels, got ", to_string(labels.dtype()), " ", to_string(labels.shape()));
  for (int64_t i = 0; i < labels.numel(); ++i) {
    const int32_t label = labels.data<int32_t>()[i];
    check(label >= 0 && label < logits.size(1), who, ": label ", label, " at index ", i, ", the logits have ", logits.size(1),
          " classes");
  }
}

}  // namespace

Var cross_entropy(const Var& logits, const Tensor& labels, double label_smoothing) {
  const FloatScope environment;
  check_labels(logits.value(), labels, "cross_entropy");
  const int64_t n = logits.value().size(0), classes = logits.value().size(1);
  check(n > 0, "cross_entropy: empty batch");
  check(label_smoothing >= 0 && label_smoothing <= 1, "cross_entropy: label smoothing ", label_smoothing, " outside 0..1");
  // The target is 1 - e at the label and e / classes everywhere.
  const double everywhere = label_smoothing / static_cast<double>(classes);
  return dispatch_float(logits.dtype(), "cross_entropy", [&]<class T>() {
    Tensor softmax = logits.value();  // p[i, c], kept for the gradient (p - onehot)/n
    const auto p = softmax.mutable_data<T>();
    double loss = 0;
    for (int64_t i = 0; i < n; ++i) {
      const auto row = p.subspan(i * classes, classes);
      const T largest = *std::ranges::max_element(row), at_label = row[labels.data<int32_t>()[i]];
      double others = 0;  // sum over the classes of logit - largest
      if (label_smoothing > 0)
        for (const T v : row) others += static_cast<double>(v - largest);
      T sum = 0;
      for (T& v : row) sum += v = std::exp(v - largest);
      for (T& v : row) v /= sum;
      if (label_smoothing == 0) {
        loss += static_cast<double>(std::log(sum) - (at_label - largest));
      } else {
        const auto normalizer = static_cast<double>(std::log(sum));
        loss += (1 - label_smoothing) * (normalizer - static_cast<double>(at_label - largest)) + label_smoothing * normalizer -
                everywhere * others;
      }
    }
    auto vjp = [n, classes, softmax, labels, everywhere, label_smoothing](const Tensor& grad, const Needs&) {
      Tensor dx = softmax;
      const auto d = dx.mutable_data<T>();
      if (label_smoothing > 0)
        for (T& v : d) v -= static_cast<T>(everywhere);
      for (int64_t i = 0; i < n; ++i) d[i * classes + labels.data<int32_t>()[i]] -= static_cast<T>(1 - label_smoothing);
      const T factor = grad.data<T>()[0] / static_cast<T>(n);
      for (T& v : d) v *= factor;
      return std::vector<Tensor>{std::move(dx)};
    };
    return Var::made(Tensor::full({}, loss / static_cast<double>(n), logits.dtype()), {logits}, std::move(vjp));
  });
}

Var mse_loss(const Var& x, const Tensor& target) {
  const FloatScope environment;
  check(x.shape() == target.shape() && x.dtype() == target.dtype(), "mse_loss: ", to_string(x.shape()), " against ",
        to_string(target.shape()));
  check(x.value().numel() > 0, "mse_loss: empty batch");
  return dispatch_float(x.dtype(), "mse_loss", [&]<class T>() {
    Tensor difference = x.value();
    const auto d = difference.mutable_data<T>();
    double sum = 0;
    for (size_t i = 0; i < d.size(); ++i) {
      d[i] -= target.data<T>()[i];
      sum += static_cast<double>(d[i]) * static_cast<double>(d[i]);
    }
    const auto n = static_cast<double>(d.size());
    auto vjp = [difference, n](const Tensor& grad, const Needs&) {
      Tensor dx = difference;
      for (T& v : dx.mutable_data<T>()) v *= grad.data<T>()[0] * static_cast<T>(2 / n);
      return std::vector<Tensor>{std::move(dx)};
    };
    return Var::made(Tensor::full({}, sum / n, x.dtype()), {x}, std::move(vjp));
  });
}

int64_t count_correct(const Tensor& logits, const Tensor& labels) {
  const FloatScope environment;
  check_labels(logits, labels, "correct");
  const int64_t classes = logits.size(1);
  int64_t hits = 0;
  for (int64_t i = 0; i < labels.numel(); ++i) {
    const auto row = logits.data<float>().subspan(i * classes, classes);
    hits += std::ranges::max_element(row) - row.begin() == labels.data<int32_t>()[i];
  }
  return hits;
}

}  // namespace octet

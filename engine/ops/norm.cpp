// SPDX-License-Identifier: Apache-2.0
// Normalizations of each sample by itself: rows of values that share their statistics, brought together by a view where they do not
// lie side by side.
#include <cmath>

#include "engine/ops/functional.h"
#include "engine/ops/norm.h"
#include "engine/ops/strided.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

/// What a row is divided by: the root of its variance (after its mean was taken away), of its mean square, or of its sum of
/// squares.
enum class By : uint8_t { deviation, mean_square, length };

/// Rows along the last axis. eps is added under the root, or, of `length`, the least that is divided by.
Var normalized(const Var& rows, By by, double eps) {
  return dispatch_float(rows.dtype(), "norm", [&]<class T>() {
    const int64_t n = rows.shape().back(), count = n == 0 ? 0 : rows.value().numel() / n, grain = 1 + 16384 / (n + 1);
    Tensor y(rows.shape(), rows.dtype()), factor({count}, rows.dtype());
    const T* from = rows.value().data<T>().data();
    T *to = y.mutable_data<T>().data(), *factors = factor.mutable_data<T>().data();
    parallel(count, grain, [&](int, int64_t begin, int64_t end) {
      for (int64_t r = begin; r < end; ++r) {
        double mean = 0, squares = 0;
        for (int64_t i = 0; i < n; ++i) mean += static_cast<double>(from[r * n + i]);
        mean = by == By::deviation ? mean / static_cast<double>(n) : 0;
        for (int64_t i = 0; i < n; ++i) {
          const double d = static_cast<double>(from[r * n + i]) - mean;
          squares += d * d;
        }
        const double f =
            by == By::length ? 1 / std::max(std::sqrt(squares), eps) : 1 / std::sqrt(squares / static_cast<double>(n) + eps);
        for (int64_t i = 0; i < n; ++i) to[r * n + i] = static_cast<T>((static_cast<double>(from[r * n + i]) - mean) * f);
        // Where eps alone divides, the factor does not depend on the row.
        factors[r] = static_cast<T>(by == By::length && std::sqrt(squares) < eps ? -f : f);
      }
    });
    auto vjp = [n, count, grain, by, y, factor](const Tensor& grad, const Needs&) {
      Tensor dx(y.shape(), y.dtype());
      const T *py = y.template data<T>().data(), *dy = grad.data<T>().data(), *factors = factor.template data<T>().data();
      T* to = dx.template mutable_data<T>().data();
      parallel(count, grain, [&](int, int64_t begin, int64_t end) {
        for (int64_t r = begin; r < end; ++r) {
          const double f = std::abs(static_cast<double>(factors[r])), cells = by == By::length ? 1 : static_cast<double>(n);
          double mean = 0, along = 0;
          for (int64_t i = r * n; i < (r + 1) * n; ++i) {
            mean += static_cast<double>(dy[i]);
            along += static_cast<double>(dy[i]) * static_cast<double>(py[i]);
          }
          mean = by == By::deviation ? mean / cells : 0;
          along = factors[r] < 0 ? 0 : along / cells;
          for (int64_t i = r * n; i < (r + 1) * n; ++i)
            to[i] = static_cast<T>(f * (static_cast<double>(dy[i]) - mean - static_cast<double>(py[i]) * along));
        }
      });
      return std::vector<Tensor>{std::move(dx)};
    };
    return Var::made(std::move(y), {rows}, std::move(vjp));
  });
}

/// y * weight + bias by channel.
Var scaled(const Var& y, const Call& call, bool has_bias) {
  const Shape channels{y.shape().back()};
  const Var bias = has_bias ? call.param("bias") : Var(Tensor::zeros(channels, y.dtype()));
  return batch_norm_eval(y, call.param("weight"), bias, Tensor::zeros(channels, y.dtype()), Tensor::full(channels, 1, y.dtype()),
                         0);
}

std::vector<Param> affine_params(bool affine, bool has_bias, int64_t channels) {
  std::vector<Param> params;
  if (affine) params.push_back({"weight", {channels}, Role::gain});
  if (affine && has_bias) params.push_back({"bias", {channels}, Role::bias});
  return params;
}

void init_affine(const std::vector<Param>& wanted, Params& params) {
  for (const Param& p : wanted)
    params.insert_or_assign(p.name, p.role == Role::bias ? Tensor::zeros(p.shape) : Tensor::full(p.shape, 1));
}

void check_features(const ShapeCall& call, int64_t features, double eps) {
  call.expect_inputs(1);
  const Shape& x = call.inputs[0];
  check(features > 0, call.path, ": features must be positive, got ", features);
  check(!x.empty() && x.size() <= 6 && x.back() == features, call.path, ": expected ", features,
        " features on the last axis, got shape ", to_string(x));
  check_norm(eps, 0, call.path);
}

}  // namespace

std::vector<Param> LayerNorm::params() const { return affine_params(affine, true, features); }
void LayerNorm::init(Params& params, Generator&) const { init_affine(this->params(), params); }
std::vector<Shape> LayerNorm::shapes(const ShapeCall& call) const {
  check_features(call, features, eps);
  return {call.inputs[0]};
}
std::vector<Var> LayerNorm::forward(const Call& call) const {
  const Var y = normalized(call.inputs[0], By::deviation, eps);
  return {affine ? scaled(y, call, true) : y};
}

std::vector<Param> GroupNorm::params() const { return affine_params(affine, true, channels); }
void GroupNorm::init(Params& params, Generator&) const { init_affine(this->params(), params); }
std::vector<Shape> GroupNorm::shapes(const ShapeCall& call) const {
  check_features(call, channels, eps);
  const Shape& x = call.inputs[0];
  check(groups > 0 && channels % groups == 0, call.path, ": ", groups, " groups of ", channels, " channels");
  check(x.size() >= 2 && numel(x) > 0, call.path, ": expected images of one channel or more, got shape ", to_string(x));
  return {x};
}
std::vector<Var> GroupNorm::forward(const Call& call) const {
  const Var& x = call.inputs[0];
  const int64_t images = x.shape()[0], each = channels / groups, places = x.value().numel() / images / channels;
  // Image, group, place, channel of the group; statistics are of the last two.
  const View apart{{images, groups, places, each}, {places * channels, each, channels, 1}, 0, Shape{images, groups, places * each}};
  const View back{{images, places, groups, each}, {places * channels, each, places * each, 1}, 0, x.shape()};
  const Var y = shown(normalized(shown(x, apart), By::deviation, eps), back);
  return {affine ? scaled(y, call, true) : y};
}

std::vector<Param> RMSNorm::params() const { return affine_params(affine, false, features); }
void RMSNorm::init(Params& params, Generator&) const { init_affine(this->params(), params); }
std::vector<Shape> RMSNorm::shapes(const ShapeCall& call) const {
  check_features(call, features, eps);
  return {call.inputs[0]};
}
std::vector<Var> RMSNorm::forward(const Call& call) const {
  const Var y = normalized(call.inputs[0], By::mean_square, eps);
  return {affine ? scaled(y, call, false) : y};
}

std::vector<Shape> L2Normalize::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  check(!call.inputs[0].empty(), call.path, ": expected a last axis, got a scalar");
  check_norm(eps, 0, call.path);
  return {call.inputs[0]};
}
std::vector<Var> L2Normalize::forward(const Call& call) const { return {normalized(call.inputs[0], By::length, eps)}; }

}  // namespace octet

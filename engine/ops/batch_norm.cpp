// SPDX-License-Identifier: Apache-2.0
// BatchNorm over the last axis: batch statistics in training, running statistics otherwise.
#include <cmath>

#include "engine/float_kernels.h"
#include "engine/ops/functional.h"
#include "engine/ops/norm.h"

namespace octet {

void check_norm(double eps, double momentum, std::string_view path) {
  const auto held = static_cast<float>(eps);
  check(held > 0 && std::isfinite(held), path, ": eps must be a positive float, got ", eps);
  check(momentum >= 0 && momentum <= 1, path, ": momentum must lie in 0..1, got ", momentum);
}

std::vector<Shape> BatchNorm::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  const Shape& x = call.inputs[0];
  check(channels > 0, call.path, ": channels must be positive, got ", channels);
  check(x.size() >= 2 && x.back() == channels, call.path, ": expected ", channels, " channels on the last axis, got shape ",
        to_string(x));
  check_norm(eps, momentum, call.path);
  return {x};
}

std::vector<Param> BatchNorm::params() const {
  return {{"weight", {channels}, Role::gain},
          {"bias", {channels}, Role::bias},
          {"running_mean", {channels}, Role::statistic},
          {"running_var", {channels}, Role::statistic},
          {.name = "frozen", .role = Role::flag, .optional = true}};
}

void BatchNorm::init(Params& params, Generator&) const {
  params.insert_or_assign("weight", Tensor::full({channels}, 1));
  params.insert_or_assign("bias", Tensor::zeros({channels}));
  params.insert_or_assign("running_mean", Tensor::zeros({channels}));
  params.insert_or_assign("running_var", Tensor::full({channels}, 1));
}

Moments moments(const Tensor& x) {
  const int64_t c = x.shape().back();
  Moments m{Tensor({c}, x.dtype()), Tensor({c}, x.dtype())};
  dispatch_float(x.dtype(), "batch_norm", [&]<class T>() {
    fk::column_moments(x.numel() / c, c, x.data<T>().data(), m.mean.mutable_data<T>().data(), m.variance.mutable_data<T>().data());
  });
  return m;
}

Var batch_norm_train(const Var& x, const Var& gamma, const Var& beta, const Moments& m, const Tensor* divisor, double eps,
                     Activation act) {
  const int64_t c = x.shape().back(), rows = x.value().numel() / c;
  return dispatch_float(x.dtype(), "batch_norm", [&]<class T>() {
    Tensor inv_std({c}, x.dtype()), scale({c}, x.dtype()), shift({c}, x.dtype());
    const auto mean = m.mean.data<T>(), variance = m.variance.data<T>(), g = gamma.value().data<T>(), b = beta.value().data<T>();
    const auto inv = inv_std.mutable_data<T>(), a = scale.mutable_data<T>(), s = shift.mutable_data<T>();
    for (int64_t i = 0; i < c; ++i) {
      const T d = divisor ? divisor->data<T>()[i] : T(1);
      inv[i] = std::copysign(T(1), d) / std::sqrt(variance[i] + T(eps) * d * d);
      a[i] = g[i] * inv[i];
      s[i] = b[i] - mean[i] * a[i];
    }
    Tensor y(x.shape(), x.dtype());
    fk::column_affine(rows, c, x.value().data<T>().data(), scale.data<T>().data(), shift.data<T>().data(), T(act.lo), T(act.hi),
                      y.mutable_data<T>().data());
    auto vjp = [rows, c, act, x = x.value(), y, gamma = gamma.value(), mean = m.mean, inv_std](const Tensor& grad,
                                                                                               const Needs& needs) {
      const Tensor dy = act == Activation::none ? grad : masked_gradient(y, grad, act);
      Tensor dgamma({c}, x.dtype()), dbeta({c}, x.dtype());
      fk::batch_norm_sums(rows, c, x.data<T>().data(), dy.data<T>().data(), mean.data<T>().data(), inv_std.data<T>().data(),
                          dgamma.mutable_data<T>().data(), dbeta.mutable_data<T>().data());
      std::vector<Tensor> grads(3);
      if (needs[0]) {
        grads[0] = Tensor(x.shape(), x.dtype());
        fk::batch_norm_grad_input(rows, c, x.data<T>().data(), dy.data<T>().data(), mean.data<T>().data(), inv_std.data<T>().data(),
                                  gamma.data<T>().data(), dgamma.data<T>().data(), dbeta.data<T>().data(),
                                  grads[0].mutable_data<T>().data());
      }
      grads[1] = std::move(dgamma);
      grads[2] = std::move(dbeta);
      return grads;
    };
    return Var::made(std::move(y), {x, gamma, beta}, std::move(vjp));
  });
}

namespace {

/// The batch norm as an affine map of each channel.
struct Affine {
  Tensor inv_std, scale, shift;
};
Affine affine(const Tensor& gamma, const Tensor& beta, const Tensor& mean, const Tensor& variance, double eps) {
  return dispatch_float(gamma.dtype(), "batch_norm", [&]<class T>() {
    const Shape c = gamma.shape();
    Affine map{Tensor(c, gamma.dtype()), Tensor(c, gamma.dtype()), Tensor(c, gamma.dtype())};
    const auto inv = map.inv_std.mutable_data<T>(), a = map.scale.mutable_data<T>(), s = map.shift.mutable_data<T>();
    for (size_t i = 0; i < inv.size(); ++i) {
      inv[i] = 1 / std::sqrt(variance.data<T>()[i] + T(eps));
      a[i] = gamma.data<T>()[i] * inv[i];
      s[i] = beta.data<T>()[i] - mean.data<T>()[i] * a[i];
    }
    return map;
  });
}

}  // namespace

Var batch_norm_eval(const Var& x, const Var& gamma, const Var& beta, const Tensor& mean, const Tensor& variance, double eps) {
  const int64_t c = x.shape().back(), rows = x.value().numel() / c;
  return dispatch_float(x.dtype(), "batch_norm", [&]<class T>() {
    const auto [inv_std, scale, shift] = affine(gamma.value(), beta.value(), mean, variance, eps);
    Tensor y(x.shape(), x.dtype());
    fk::column_affine(rows, c, x.value().data<T>().data(), scale.data<T>().data(), shift.data<T>().data(), T(-INFINITY),
                      T(INFINITY), y.mutable_data<T>().data());
    auto vjp = [rows, c, x = x.value(), mean, inv_std = inv_std, scale = scale](const Tensor& dy, const Needs& needs) {
      std::vector<Tensor> grads(3);
      if (needs[1] || needs[2]) {
        grads[1] = Tensor({c}, x.dtype());
        grads[2] = Tensor({c}, x.dtype());
        fk::batch_norm_sums(rows, c, x.data<T>().data(), dy.data<T>().data(), mean.data<T>().data(), inv_std.data<T>().data(),
                            grads[1].mutable_data<T>().data(), grads[2].mutable_data<T>().data());
      }
      if (needs[0]) {
        grads[0] = Tensor(x.shape(), x.dtype());
        const Tensor zero = Tensor::zeros({c}, x.dtype());
        fk::column_affine(rows, c, dy.data<T>().data(), scale.data<T>().data(), zero.data<T>().data(), T(-INFINITY), T(INFINITY),
                          grads[0].mutable_data<T>().data());
      }
      return grads;
    };
    return Var::made(std::move(y), {x, gamma, beta}, std::move(vjp));
  });
}

Moments updated(const Tensor& running_mean, const Tensor& running_var, const Moments& batch, int64_t n, double momentum) {
  Moments next{running_mean, running_var};
  dispatch_float(running_mean.dtype(), "batch_norm", [&]<class T>() {
    const auto mean = next.mean.mutable_data<T>(), variance = next.variance.mutable_data<T>();
    const T m = static_cast<T>(momentum), unbias = static_cast<T>(n) / static_cast<T>(n - 1);
    for (size_t i = 0; i < mean.size(); ++i) {
      mean[i] = (1 - m) * mean[i] + m * batch.mean.data<T>()[i];
      variance[i] = (1 - m) * variance[i] + m * (batch.variance.data<T>()[i] * unbias);
    }
  });
  return next;
}

std::vector<Var> BatchNorm::forward(const Call& call) const {
  const Var& x = call.inputs[0];
  const Var gamma = call.param("weight"), beta = call.param("bias");
  const Tensor mean = call.param("running_mean").value(), variance = call.param("running_var").value();
  const bool frozen = call.has("frozen") && call.param("frozen").value().item() != 0;
  if (call.mode != Mode::train || frozen) return {batch_norm_eval(x, gamma, beta, mean, variance, eps)};
  const int64_t n = x.value().numel() / channels;
  check(n > 1, call.path, ": batch norm needs more than one value per channel when training, got input shape ",
        to_string(x.shape()));
  const Moments batch = moments(x.value());
  const Moments next = updated(mean, variance, batch, n, momentum);
  call.store("running_mean", next.mean);
  call.store("running_var", next.variance);
  return {batch_norm_train(x, gamma, beta, batch, nullptr, eps, Activation::none)};
}

LoweredFloats BatchNorm::lower_float(const FloatLowerCall& call) const {
  return {{{.args = FloatAffineArgs{numel(call.input_shapes[0]) / channels, channels}, .table = 0}}};
}

ModuleTables BatchNorm::float_tables(const FloatLowerCall& call) const {
  const Affine map = affine(call.param("weight"), call.param("bias"), call.param("running_mean"), call.param("running_var"), eps);
  const auto scale = map.scale.data<float>(), shift = map.shift.data<float>();
  Blobs blobs;
  blobs.scale.assign(scale.begin(), scale.end()), blobs.bias.assign(shift.begin(), shift.end());
  return {std::make_shared<const Blobs>(std::move(blobs))};
}

}  // namespace octet

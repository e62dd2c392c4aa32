// SPDX-License-Identifier: Apache-2.0
// ConvBn2d and LinearBn: a layer and its batch norm trained as one, so that the weight's fake quantization sees the weight that
// will be deployed.
//
// Training: k = gamma / sqrt(running_var + eps), y0 = conv(x, hook(W * k)), out = batch norm of y0 / k (+ bias) with the batch's
// moments. The division by k is folded into the batch norm, where only eps * k^2 is left of it, so k may be as small as it likes:
// inputs of any size train alike. k is a constant of the step (its two uses cancel). A channel with no k to speak of (gamma = 0) is
// deployed as a constant; the hook sees its zeros, and it trains on unrounded, W / sqrt(running_var + eps) in its place. Frozen and
// eval: conv(x, hook(W * k)) + folded bias, differentiable in gamma too.
//
// As in PyTorch training divides gamma by the deviation and deployment multiplies by its reciprocal: the last bit may differ, and
// codes at a tie with it. Eval computes what will be deployed.
#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/float_kernels.h"
#include "engine/ops/functional.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

constexpr int64_t kElementsPerThread = 16384;  // worth handing to another thread
constexpr double kSmallestGamma = 1e-15;       // below this |gamma| the square of y0 may leave the floats

/// y[o, …] = w[o, …] * factor[o], a linear map of w.
Var scale_rows(const Var& w, const Tensor& factor) {
  return dispatch_float(w.dtype(), "conv_bn2d", [&]<class T>() {
    const int64_t out = w.value().size(0), row = w.value().numel() / out;
    const auto apply = [out, row, factor](const Tensor& x) {
      Tensor y(x.shape(), x.dtype());
      const T *from = x.data<T>().data(), *k = factor.data<T>().data();
      T* to = y.mutable_data<T>().data();
      parallel(out, std::max<int64_t>(1, kElementsPerThread / row), [&](int, int64_t begin, int64_t end) {
        for (int64_t o = begin; o < end; ++o) {
          const T by = k[o];
          for (int64_t i = o * row; i < (o + 1) * row; ++i) to[i] = from[i] * by;
        }
      });
      return y;
    };
    return Var::made(apply(w.value()), {w}, [apply](const Tensor& grad, const Needs&) { return std::vector<Tensor>{apply(grad)}; });
  });
}

Tensor inverse_std(const Tensor& variance, double eps) {
  Tensor r = variance;
  dispatch_float(r.dtype(), "conv_bn2d", [&]<class T>() {
    for (T& v : r.mutable_data<T>()) v = 1 / std::sqrt(v + static_cast<T>(eps));
  });
  return r;
}

/// W * k, differentiable in W and gamma; k is gamma * r, however rounded.
Var fold_weight(const Var& w, const Var& gamma, const Tensor& r, const Tensor& k) {
  return dispatch_float(w.dtype(), "conv_bn2d", [&]<class T>() {
    const int64_t out = w.value().size(0), row = w.value().numel() / out;
    Tensor y = w.value();
    const auto to = y.mutable_data<T>();
    for (int64_t o = 0; o < out; ++o) {
      const T by = k.data<T>()[o];
      for (int64_t i = 0; i < row; ++i) to[o * row + i] *= by;
    }
    auto vjp = [out, row, r, k, w = w.value()](const Tensor& grad, const Needs& needs) {
      std::vector<Tensor> grads(2);
      if (needs[0]) {
        grads[0] = grad;
        const auto dw = grads[0].mutable_data<T>();
        for (int64_t o = 0; o < out; ++o) {
          const T by = k.data<T>()[o];
          for (int64_t i = o * row; i < (o + 1) * row; ++i) dw[i] *= by;
        }
      }
      if (needs[1]) {
        grads[1] = Tensor::zeros({out}, grad.dtype());
        const auto dgamma = grads[1].mutable_data<T>();
        const auto g = grad.data<T>(), from = w.data<T>(), by = r.data<T>();
        for (int64_t o = 0; o < out; ++o)
          for (int64_t i = o * row; i < (o + 1) * row; ++i) dgamma[o] += g[i] * from[i] * by[o];
      }
      return grads;
    };
    return Var::made(std::move(y), {w, gamma}, std::move(vjp));
  });
}

/// ((b - mean) * r) * gamma + beta, differentiable in b, gamma and beta. b may be null (zero).
Var fold_bias(const Var* b, const Var& gamma, const Var& beta, const Tensor& mean, const Tensor& r) {
  return dispatch_float(gamma.dtype(), "conv_bn2d", [&]<class T>() {
    Tensor y(gamma.shape(), gamma.dtype());
    Tensor centred = y;
    const auto to = y.mutable_data<T>(), c = centred.mutable_data<T>();
    for (size_t o = 0; o < to.size(); ++o) {
      c[o] = ((b ? b->value().data<T>()[o] : T(0)) - mean.data<T>()[o]) * r.data<T>()[o];
      to[o] = c[o] * gamma.value().data<T>()[o] + beta.value().data<T>()[o];
    }
    std::vector<Var> inputs{gamma, beta};
    if (b) inputs.push_back(*b);
    auto vjp = [centred, r, gamma = gamma.value()](const Tensor& grad, const Needs& needs) {
      Tensor dgamma = grad, db = grad;
      const auto g = dgamma.mutable_data<T>(), bias = db.mutable_data<T>();
      for (size_t o = 0; o < g.size(); ++o) {
        g[o] *= centred.data<T>()[o];
        bias[o] *= r.data<T>()[o] * gamma.data<T>()[o];
      }
      std::vector<Tensor> grads{std::move(dgamma), grad};
      if (needs.size() > 2) grads.push_back(std::move(db));
      return grads;
    };
    return Var::made(std::move(y), std::move(inputs), std::move(vjp));
  });
}

/// gamma * r, as PyTorch folds for deployment.
Tensor product(const Tensor& gamma, const Tensor& r) {
  Tensor k = gamma;
  dispatch_float(k.dtype(), "conv_bn2d", [&]<class T>() {
    const auto v = k.mutable_data<T>();
    for (size_t o = 0; o < v.size(); ++o) v[o] *= r.data<T>()[o];
  });
  return k;
}

/// gamma / sqrt(variance + eps), as PyTorch trains.
Tensor quotient(const Tensor& gamma, const Tensor& variance, double eps) {
  Tensor k = gamma;
  dispatch_float(k.dtype(), "conv_bn2d", [&]<class T>() {
    const auto v = k.mutable_data<T>();
    for (size_t o = 0; o < v.size(); ++o) v[o] /= std::sqrt(variance.data<T>()[o] + static_cast<T>(eps));
  });
  return k;
}

/// Channels whose k is too small to divide by.
std::vector<bool> without_factor(const Tensor& k, const Tensor& gamma) {
  std::vector<bool> rows(static_cast<size_t>(k.numel()));
  dispatch_float(k.dtype(), "conv_bn2d", [&]<class T>() {
    for (size_t o = 0; o < rows.size(); ++o)
      rows[o] = !std::isnormal(k.data<T>()[o]) || std::abs(gamma.data<T>()[o]) < T(kSmallestGamma);
  });
  return rows;
}

/// a with the chosen output channels taken from b, a tensor of the same shape.
Var with_rows(const Var& a, const Var& b, const std::vector<bool>& from_b) {
  return dispatch_float(a.dtype(), "conv_bn2d", [&]<class T>() {
    const size_t row = static_cast<size_t>(a.value().numel()) / from_b.size();
    const auto mixed = [from_b, row](Tensor x, const T* others) {  // null: zeros
      const auto to = x.mutable_data<T>();
      for (size_t o = 0; o < from_b.size(); ++o)
        for (size_t i = o * row; from_b[o] && i < (o + 1) * row; ++i) to[i] = others ? others[i] : T(0);
      return x;
    };
    auto vjp = [mixed, from_b](const Tensor& grad, const Needs&) {
      const Tensor zero = Tensor::zeros(grad.shape(), grad.dtype());
      return std::vector<Tensor>{mixed(grad, nullptr), mixed(zero, grad.data<T>().data())};
    };
    return Var::made(mixed(a.value(), b.value().data<T>().data()), {a, b}, std::move(vjp));
  });
}

/// Moments of y0 / k + b from those of y0.
Moments unscaled(const Moments& m, const Tensor& k, const Tensor* b) {
  Moments u = m;
  dispatch_float(k.dtype(), "conv_bn2d", [&]<class T>() {
    const auto mean = u.mean.mutable_data<T>(), variance = u.variance.mutable_data<T>();
    for (size_t o = 0; o < mean.size(); ++o) {
      const T factor = k.data<T>()[o];
      mean[o] = mean[o] / factor + (b ? b->data<T>()[o] : T(0));
      variance[o] = variance[o] / factor / factor;
    }
  });
  return u;
}

}  // namespace

namespace {

Var applied(const Conv2d& op, const Var& x, const Var& w, const Var* b, Activation act, std::string_view path) {
  return conv2d(op, x, w, b, act, path);
}
Var applied(const Linear& op, const Var& x, const Var& w, const Var* b, Activation act, std::string_view path) {
  return linear(op, x, w, b, act, path);
}

template <class Layer>
std::vector<Param> params_with_norm(const Layer& layer) {
  std::vector<Param> all = layer.params();
  const Shape channels{layer.out};
  all.insert(all.end(), {{"bn.weight", channels, Role::gain},
                         {"bn.bias", channels, Role::bias},
                         {"bn.running_mean", channels, Role::statistic},
                         {"bn.running_var", channels, Role::statistic},
                         {"bn.frozen", {}, Role::flag}});
  return all;
}

template <class Layer>
void init_with_norm(const Layer& layer, Params& params, Generator& g) {
  layer.init(params, g);
  params.insert_or_assign("bn.weight", Tensor::full({layer.out}, 1));
  params.insert_or_assign("bn.bias", Tensor::zeros({layer.out}));
  params.insert_or_assign("bn.running_mean", Tensor::zeros({layer.out}));
  params.insert_or_assign("bn.running_var", Tensor::full({layer.out}, 1));
  params.insert_or_assign("bn.frozen", Tensor::zeros({}));
}

template <class Layer>
Var forward_with_norm(const Layer& layer, double eps, double momentum, const Call& call) {
  const Var& x = call.inputs[0];
  const Var w = call.param("weight"), gamma = call.param("bn.weight"), beta = call.param("bn.bias");
  const Var b = layer.bias ? call.param("bias") : Var();
  const Tensor mean = call.param("bn.running_mean").value(), variance = call.param("bn.running_var").value();
  const Tensor r = inverse_std(variance, eps);
  const bool frozen = call.param("bn.frozen").value().item() != 0;
  const bool training = call.mode == Mode::train;
  Tensor k = training ? quotient(gamma.value(), variance, eps) : product(gamma.value(), r);
  if (!training || frozen) {
    const Var weight = call.hooked("weight", fold_weight(w, gamma, r, k));
    const Var bias = fold_bias(layer.bias ? &b : nullptr, gamma, beta, mean, r);
    return applied(layer, x, weight, &bias, layer.act, call.path);
  }
  Var weight = call.hooked("weight", scale_rows(w, k));
  if (const std::vector<bool> none = without_factor(k, gamma.value()); std::ranges::find(none, true) != none.end()) {
    weight = with_rows(weight, scale_rows(w, r), none);
    k = with_rows(k, r, none).value();
  }
  const Var y0 = applied(layer, x, weight, nullptr, Activation::none, call.path);
  const int64_t n = y0.value().numel() / layer.out;
  check(n > 1, call.path, ": batch norm needs more than one value per channel when training, got output shape ",
        to_string(y0.shape()));
  const Moments batch = moments(y0.value());
  const Moments next = updated(mean, variance, unscaled(batch, k, layer.bias ? &b.value() : nullptr), n, momentum);
  call.store("bn.running_mean", next.mean);
  call.store("bn.running_var", next.variance);
  // A layer's bias cancels in the batch's own mean: it only moves the running mean. Its gradient is zero, but it has one, so that
  // weight decay reaches it.
  const Var out = batch_norm_train(y0, gamma, beta, batch, &k, eps, layer.act);
  if (!layer.bias) return out;
  auto vjp = [shape = b.shape(), dtype = b.dtype()](const Tensor& grad, const Needs&) {
    return std::vector<Tensor>{grad, Tensor::zeros(shape, dtype)};
  };
  return Var::made(out.value(), {out, b}, std::move(vjp));
}

}  // namespace

std::vector<Shape> ConvBn2d::shapes(const ShapeCall& call) const {
  check(!conv.residual, call.path, ": conv_bn2d takes no residual");
  check_norm(eps, momentum, call.path);
  return conv.shapes(call);
}
std::vector<Param> ConvBn2d::params() const { return params_with_norm(conv); }
void ConvBn2d::init(Params& params, Generator& g) const { init_with_norm(conv, params, g); }
std::vector<Var> ConvBn2d::forward(const Call& call) const { return {forward_with_norm(conv, eps, momentum, call)}; }

std::vector<Shape> LinearBn::shapes(const ShapeCall& call) const {
  check_norm(eps, momentum, call.path);
  return linear.shapes(call);
}
std::vector<Param> LinearBn::params() const { return params_with_norm(linear); }
void LinearBn::init(Params& params, Generator& g) const { init_with_norm(linear, params, g); }
std::vector<Var> LinearBn::forward(const Call& call) const { return {forward_with_norm(linear, eps, momentum, call)}; }

namespace {

/// Finite or not.
FoldedConv unchecked_fold(const Tensor& weight, const Tensor* bias, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                          const Tensor& variance, double eps) {
  const Tensor r = inverse_std(variance, eps);
  const Var b = bias ? Var(*bias) : Var();
  return {fold_weight(weight, gamma, r, product(gamma, r)).value(), fold_bias(bias ? &b : nullptr, gamma, beta, mean, r).value()};
}

template <class Layer>
ModuleTables tables_with_norm(const Layer& layer, double eps, const FloatLowerCall& call) {
  const Tensor bias = layer.bias ? call.param("bias") : Tensor();
  const FoldedConv folded = unchecked_fold(call.param("weight"), layer.bias ? &bias : nullptr, call.param("bn.weight"),
                                           call.param("bn.bias"), call.param("bn.running_mean"), call.param("bn.running_var"), eps);
  return float_layer(folded.weight, folded.bias);
}

template <class Layer>
FoldedConv folded_with_norm(const Layer& layer, double eps, const Params& params, std::string_view path) {
  const auto at = [&](std::string_view name) -> const Tensor& { return needed(params, name, path); };
  return fold_batch_norm(at("weight"), layer.bias ? &at("bias") : nullptr, at("bn.weight"), at("bn.bias"), at("bn.running_mean"),
                         at("bn.running_var"), eps, path);
}

}  // namespace

LoweredFloats ConvBn2d::lower_float(const FloatLowerCall& call) const { return conv.lower_float(call); }
LoweredFloats LinearBn::lower_float(const FloatLowerCall& call) const { return linear.lower_float(call); }
ModuleTables ConvBn2d::float_tables(const FloatLowerCall& call) const { return tables_with_norm(conv, eps, call); }
ModuleTables LinearBn::float_tables(const FloatLowerCall& call) const { return tables_with_norm(linear, eps, call); }

FoldedConv fold_batch_norm(const Tensor& weight, const Tensor* bias, const Tensor& gamma, const Tensor& beta, const Tensor& mean,
                           const Tensor& variance, double eps, std::string_view path) {
  FoldedConv folded = unchecked_fold(weight, bias, gamma, beta, mean, variance, eps);
  dispatch_float(weight.dtype(), path, [&]<class T>() {
    const int64_t out = weight.size(0), row = weight.numel() / out;
    for (int64_t o = 0; o < out; ++o) {
      bool finite = std::isfinite(folded.bias.data<T>()[o]);
      for (int64_t i = o * row; i < (o + 1) * row; ++i) finite &= std::isfinite(folded.weight.data<T>()[i]);
      check(finite, path, ": folding the batch norm gives a value that is not finite in channel ", o, " (running variance ",
            variance.data<T>()[o], ", gamma ", gamma.data<T>()[o], ")");
    }
  });
  return folded;
}

FoldedConv deployed(const ConvBn2d& op, const Params& params, std::string_view path) {
  return folded_with_norm(op.conv, op.eps, params, path);
}
FoldedConv deployed(const LinearBn& op, const Params& params, std::string_view path) {
  return folded_with_norm(op.linear, op.eps, params, path);
}

}  // namespace octet

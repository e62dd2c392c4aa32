// SPDX-License-Identifier: Apache-2.0
// Fake quantization with the straight-through gradient, and the hook that applies it.
#include "quant/fake_quantize.h"

#include <algorithm>
#include <cmath>

#include "engine/module_check.h"
#include "engine/ops/functional.h"
#include "kernels/f32/f32.h"
#include "kernels/float_scope.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

constexpr std::string_view kPrefix = "fake_quantize:";

/// Calls body(parameters, offset, count) for every run of elements that shares one scale.
template <class Body>
void for_each_run(const Shape& shape, const QParams& q, Body&& body) {
  check(q.group == 0, "fake_quantize: grouped parameters are not supported");
  const auto one = [&](size_t c) { return f32::FakeQuant{q.scale[c], 1 / q.scale[c], q.zero_point[c], q.qmin, q.qmax}; };
  if (q.axis < 0) return body(one(0), int64_t{0}, numel(shape));
  check(q.axis < static_cast<int>(shape.size()) && q.scale.size() == static_cast<size_t>(shape[q.axis]),
        "fake_quantize: ", q.scale.size(), " scales on axis ", q.axis, " of shape ", to_string(shape));
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < q.axis; ++i) outer *= shape[i];
  for (size_t i = q.axis + 1; i < shape.size(); ++i) inner *= shape[i];
  // Threads share the runs: one channel's weights alone are too few to be cut.
  const auto channels = static_cast<int64_t>(q.scale.size());
  constexpr int64_t kElementsPerThread = 16384;
  parallel(outer * channels, std::max<int64_t>(1, kElementsPerThread / std::max<int64_t>(1, inner)),
           [&](int, int64_t begin, int64_t end) {
             for (int64_t i = begin; i < end; ++i) body(one(static_cast<size_t>(i % channels)), i * inner, inner);
           });
}

/// With what an observer proposes, which may be a user's own.
Var rounded(const Var& x, const QParams& q, std::string_view path) {
  check_qparams(q, x.shape(), path);
  return fake_quantize(x, q);
}

}  // namespace

Var fake_quantize(const Var& x, const QParams& q) {
  const FloatScope environment;
  const float* from = x.value().data<float>().data();
  Tensor y(x.shape(), DType::f32);
  float* to = y.mutable_data<float>().data();
  for_each_run(x.shape(), q,
               [&](const f32::FakeQuant& one, int64_t at, int64_t n) { f32::fake_quantize(n, one, from + at, to + at); });
  auto vjp = [x = x.value(), q](const Tensor& grad, const Needs&) {
    Tensor dx(x.shape(), DType::f32);
    const float *in = x.data<float>().data(), *dy = grad.data<float>().data();
    float* d = dx.mutable_data<float>().data();
    for_each_run(x.shape(), q, [&](const f32::FakeQuant& one, int64_t at, int64_t n) {
      f32::fake_quantize_grad(n, one, in + at, dy + at, d + at);
    });
    return std::vector<Tensor>{std::move(dx)};
  };
  return Var::made(std::move(y), {x}, std::move(vjp));
}

Observer& FakeQuantize::observer() {
  static_cast<void>(std::as_const(*this).observer());
  qparams_.reset();
  return *observer_;
}

QParams FakeQuantize::qparams(std::string_view path) const {
  const FloatScope environment;
  if (qparams_) return *qparams_;
  check(observer_->calibrated(), path, ": the ", observer_->kind(),
        " observer has seen no data; calibrate before rounding or converting");
  return observer_->qparams();
}

void FakeQuantize::refresh() {
  const FloatScope environment;
  if (!qparams_ && observer_->calibrated()) qparams_ = observer_->qparams();
}

Var FakeQuantize::operator()(const Var& v, Mode mode, std::string_view path) {
  const FloatScope environment;
  check(v.dtype() == DType::f32 || !(observe || round), path, ": observers and fake quantization need f32, got ",
        to_string(v.dtype()));
  if (!observe || mode == Mode::eval) {
    if (round) refresh();
    return round ? rounded(v, qparams(path), path) : v;
  }
  Var x = v;
  if (guard)
    if (const float limit = guard->limit(v.value(), path); std::isfinite(limit)) x = clamp(v, {-limit, limit});
  observer_->observe(x.value(), path);
  qparams_.reset();
  if (!round) return x;
  refresh();
  return rounded(x, qparams(path), path);
}

Var FakeQuantize::peek(const Var& v, std::string_view path) const {
  const FloatScope environment;
  check(!round || v.dtype() == DType::f32, path, ": fake quantization needs f32, got ", to_string(v.dtype()));
  return round ? rounded(v, qparams(path), path) : v;
}

std::string FakeQuantize::kind() const { return std::string(kPrefix) + std::string(observer_->kind()); }

StateDict FakeQuantize::state() const {
  StateDict state = observer_->state();
  state["enabled"] = Tensor::of<int32_t>({2}, std::vector<int32_t>{observe, round});
  if (guard) state["guard"] = guard->state();
  return state;
}

void FakeQuantize::load(const StateDict& state) {
  const auto enabled = state_tensor(state, "enabled", DType::i32).data<int32_t>();
  check(enabled.size() == 2, "observer state: \"enabled\" has ", enabled.size(), " values, expected 2");
  std::optional<OutlierGuard> guarded;
  if (const auto found = state.find("guard"); found != state.end()) guarded.emplace().load(found->second);
  observer_->load(state);
  observe = enabled[0] != 0;
  round = enabled[1] != 0;
  guard = guarded;
  qparams_.reset();
  if (round) refresh();  // peeks may not keep what they compute
}

HookBox make_hook(std::string_view kind) {
  if (kind == StaysFloat().kind()) return HookBox(std::make_unique<StaysFloat>());
  check(kind.starts_with(kPrefix), "unknown hook kind \"", kind, "\"");
  std::unique_ptr<Observer> observer = make_observer(kind.substr(kPrefix.size()));
  check(observer != nullptr, "unknown hook kind \"", kind, "\"");
  return HookBox(std::make_unique<FakeQuantize>(std::move(observer), true, false));
}

int code_bits(const FakeQuantize& hook) {
  const auto [lo, hi] = hook.observer().codes();
  return code_dtype({{1}, {0}, -1, 0, lo, hi}) == DType::i16 ? 16 : 8;
}

FakeQuantize* fake_quantize_at(HookBox& box) { return box ? dynamic_cast<FakeQuantize*>(&*box) : nullptr; }
const FakeQuantize* fake_quantize_at(const HookBox& box) { return box ? dynamic_cast<const FakeQuantize*>(&*box) : nullptr; }

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// Running data through a prepared model, and the switches for what its hooks do.
#include "quant/quantize.h"

namespace octet {
namespace {

template <class Act>
void each_hook(Model& model, std::string_view prefix, const char* who, Act&& act) {
  int seen = 0;
  for (Module& module : model.modules) {
    if (!below(module.path, prefix)) continue;
    for (auto& [point, box] : module.hooks)
      if (FakeQuantize* hook = fake_quantize_at(box)) {
        act(*hook);
        ++seen;
      }
  }
  check(seen > 0, who, ": no fake quantization below \"", prefix, "\"; prepare the model first");
}

void set_frozen(Model& model, std::string_view prefix, const char* who, bool frozen) {
  int seen = 0;
  for (Module& module : model.modules) {
    if (!below(module.path, prefix) || !std::holds_alternative<ConvBn2d>(module.op)) continue;
    const auto flag = module.params.find("bn.frozen");
    check(flag != module.params.end(), module.path, ": parameter \"bn.frozen\" is missing; initialize or load the model first");
    flag->second = Tensor::full({}, frozen ? 1 : 0, flag->second.dtype());
    ++seen;
  }
  check(seen > 0, who, ": no conv_bn2d below \"", prefix, "\"; fuse for training first");
}

}  // namespace

int64_t calibrate(Model& prepared, int64_t count, const std::function<Tensor(int64_t)>& batch, const Progress& progress) {
  check(count > 0, "calibrate: the calibration set is empty");
  bool observes = false;
  for (Module& module : prepared.modules)
    for (auto& [point, box] : module.hooks) {
      const FakeQuantize* hook = fake_quantize_at(box);
      observes |= hook && hook->observe;
    }
  check(observes, "calibrate: no observer is switched on; prepare the model first");
  for (int64_t i = 0; i < count; ++i) {
    const Tensor x = batch(i);
    check(x.numel() > 0, "calibrate: batch ", i, " is empty");
    forward(prepared, {&x, 1}, Mode::calibrate);
    if (progress && !progress(i + 1, count)) return i + 1;
  }
  return count;
}

int64_t calibrate(Model& prepared, std::span<const Tensor> batches, const Progress& progress) {
  return calibrate(
      prepared, static_cast<int64_t>(batches.size()), [&](int64_t i) { return batches[i]; }, progress);
}

void enable_observer(Model& model, std::string_view prefix) {
  each_hook(model, prefix, "enable_observer", [](FakeQuantize& hook) { hook.observe = true; });
}
void disable_observer(Model& model, std::string_view prefix) {
  each_hook(model, prefix, "disable_observer", [](FakeQuantize& hook) {
    hook.observe = false;
    hook.refresh();
  });
}
void enable_fake_quant(Model& model, std::string_view prefix) {
  each_hook(model, prefix, "enable_fake_quant", [](FakeQuantize& hook) {
    hook.round = true;
    hook.refresh();
  });
}
void disable_fake_quant(Model& model, std::string_view prefix) {
  each_hook(model, prefix, "disable_fake_quant", [](FakeQuantize& hook) { hook.round = false; });
}
void freeze_bn_stats(Model& model, std::string_view prefix) { set_frozen(model, prefix, "freeze_bn_stats", true); }
void update_bn_stats(Model& model, std::string_view prefix) { set_frozen(model, prefix, "update_bn_stats", false); }

}  // namespace octet

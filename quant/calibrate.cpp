// SPDX-License-Identifier: Apache-2.0
// Running data through a prepared model, and the switches for what its hooks do.
#include <algorithm>

#include "engine/ops/fusion.h"
#include "kernels/float_scope.h"
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
        act(*hook, module, point);
        ++seen;
      }
  }
  check(seen > 0, who, ": no fake quantization below \"", prefix, "\"; prepare the model first");
}

void set_frozen(Model& model, std::string_view prefix, const char* who, bool frozen) {
  int seen = 0;
  for (Module& module : model.modules) {
    if (!below(module.path, prefix)) continue;
    if (!module.tied_to.empty()) continue;
    const std::vector<Param> params = params_of(module.op);
    const auto flag = std::ranges::find(params, Role::flag, &Param::role);
    if (flag == params.end()) continue;
    for (const Param& p : params)
      if (!p.optional) needed(module.params, p.name, module.path);
    // An optional flag that is not set is not there.
    if (flag->optional && !frozen)
      module.params.erase(flag->name);
    else
      module.params.insert_or_assign(flag->name, Tensor::full({}, frozen ? 1 : 0, module.params.begin()->second.dtype()));
    ++seen;
  }
  check(seen > 0, who, ": no batch norm below \"", prefix, "\"");
}

}  // namespace

int64_t calibrate(Model& prepared, const Batches& batches, const Progress& progress) try {
  const FloatScope environment;
  check(!batches.empty(), "calibrate: the calibration set is empty");
  bool observes = false;
  for (Module& module : prepared.modules)
    for (auto& [point, box] : module.hooks) {
      const FakeQuantize* hook = fake_quantize_at(box);
      observes |= hook && hook->observe;
    }
  check(observes, "calibrate: no observer is switched on; prepare the model first");
  Model work = prepared;  // a batch that is refused leaves the caller's observers as they were
  int64_t done = 0;
  while (done < batches.count()) {
    forward(work, batches.batch(done, work, "calibrate"), Mode::calibrate);
    ++done;
    if (progress && !progress(done, batches.count())) break;
  }
  prepared = std::move(work);
  return done;
} catch (const std::bad_alloc&) {
  fail("calibrate: out of memory");
}

void enable_observer(Model& model, std::string_view prefix) {
  each_hook(model, prefix, "enable_observer", [](FakeQuantize& hook, const Module&, std::string_view) { hook.observe = true; });
}
void disable_observer(Model& model, std::string_view prefix) {
  each_hook(model, prefix, "disable_observer", [](FakeQuantize& hook, const Module&, std::string_view) {
    hook.observe = false;
    hook.refresh();
  });
}
void enable_fake_quant(Model& model, std::string_view prefix) {
  each_hook(model, prefix, "enable_fake_quant", [](FakeQuantize& hook, const Module& module, std::string_view point) {
    hook.round = true;
    // Post-training weight hooks are shown their weight at convert; to round before that they must see it now.
    if (point == "weight" && !hook.observer().calibrated()) {
      Module seen{.path = module.path, .op = module.op, .params = module.params};
      needed_weight(seen.params, module.path);
      deploy(seen);
      hook.observer().observe(needed_weight(seen.params, module.path), module.path + ".weight");
    }
    hook.refresh();
  });
}
void disable_fake_quant(Model& model, std::string_view prefix) {
  each_hook(model, prefix, "disable_fake_quant", [](FakeQuantize& hook, const Module&, std::string_view) { hook.round = false; });
}
void freeze_bn_stats(Model& model, std::string_view prefix) { set_frozen(model, prefix, "freeze_bn_stats", true); }
void update_bn_stats(Model& model, std::string_view prefix) { set_frozen(model, prefix, "update_bn_stats", false); }

}  // namespace octet

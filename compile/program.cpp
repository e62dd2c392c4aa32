// SPDX-License-Identifier: Apache-2.0
// bind(): what is checked once, and the plans a program hands out.
#include "compile/program.h"

#include <algorithm>
#include <set>

#include "compile/plan.h"
#include "engine/module_check.h"
#include "engine/storage.h"
#include "kernels/float_scope.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

void check_available(QEngine engine) {
  if (engine == QEngine::automatic) return;
  for (const QEngineInfo& info : qengines())
    if (info.engine == engine) check(info.available, "bind: the engine ", to_string(engine), " is not available: ", info.why_not);
}

std::string to_string(std::span<const Shape> shapes) {
  std::string text;
  for (const Shape& s : shapes) text += (text.empty() ? "" : ", ") + octet::to_string(s);
  return text;
}

/// Frees plain weights that no kernel reads.
void let_go(const std::vector<ModuleTables>& all) {
  for (const ModuleTables& tables : all)
    for (const auto& table : tables) table->weight.let_go(), table->floats.let_go();
}

}  // namespace

std::shared_ptr<Program> Program::make(const Model& model, QEngine engine, const QEngineMap& overrides) try {
  const FloatScope environment;
  check_model(model);
  check(!model.modules.empty(), "bind: the model is empty");
  for (const Module& module : model.modules)
    check(module.hooks.empty() || module.out_q.empty(), module.path, ": half converted: it has hooks and quantization parameters");
  for (const Module& module : model.modules) check_module(module, module.path);
  check_available(engine);
  for (const auto& entry : overrides) {
    check_available(entry.second);
    check(std::ranges::any_of(model.modules, [&](const Module& m) { return below(m.path, entry.first); }), "bind: \"", entry.first,
          "\" matches no module; an override's key is a dotted path or the start of one");
  }
  const std::shared_ptr<Program> program(new Program(model, engine, overrides));
  std::vector<Shape> nominal;
  for (const Module& module : model.modules)
    if (std::holds_alternative<Input>(module.op)) nominal.push_back(module.nominal[0]);
  program->nominal_ = program->plan(nominal, threads());  // lowers every module once: whatever can not run throws here
  return program;
} catch (const std::bad_alloc&) {
  fail("bind: out of memory");
}

std::shared_ptr<const Program> Program::bind(const Model& model, QEngine engine, const QEngineMap& overrides) {
  return make(model, engine, overrides);
}

std::shared_ptr<const Program> Program::bind(Model&& model, QEngine engine, const QEngineMap& overrides) {
  const std::shared_ptr<Program> program = make(model, engine, overrides);  // the caller keeps the model if that throws
  model = Model();
  program->release_weights();
  return program;
}

/// Drops the model's weights that are in tables, and then those of tables that no kernel reads.
void Program::release_weights() {
  std::set<const Module*> kept, tabled;
  for (size_t i = 0; i < model_.modules.size(); ++i) {
    const Module& owner = model_.owner(model_.modules[i]);
    (nominal_->tables[i].empty() ? kept : tabled).insert(&owner);
  }
  for (Module& module : model_.modules)
    if (tabled.contains(&module) && !kept.contains(&module))
      for (const Param& param : params_of(module.op))
        if (param.role == Role::weight) {
          Tensor& tensor = module.params.find(param.name)->second;
          tensor = tensor.released();
        }
  gave_weights_away_ = true;
  let_go(nominal_->tables);
  release_cached_storage();  // the memory of what was let go, too
}

QEngine Program::engine(std::string_view path) const {
  QEngine found = engine_;
  size_t length = 0;
  for (const auto& [prefix, own] : overrides_)
    if (below(path, prefix) && prefix.size() >= length) found = own, length = prefix.size();
  return found;
}

std::shared_ptr<const Plan> Program::plan(std::span<const Shape> inputs, int threads) const try {
  const FloatScope environment;
  check(threads >= 1, "Program: expected at least 1 thread, got ", threads);
  std::pair key(std::vector<Shape>(inputs.begin(), inputs.end()), threads);
  {
    const std::lock_guard lock(mutex_);
    if (const auto found = plans_.find(key); found != plans_.end())
      if (auto plan = found->second.lock()) return plan;
  }
  // Made without the lock: two threads that want the same new plan at once both make it, and the first one stays.
  auto made = make_plan(*this, inputs, threads, nominal_ ? nominal_->tables : std::vector<ModuleTables>{});
  if (gave_weights_away_) let_go(made->tables);  // a kernel may have asked for them to look at
  const std::lock_guard lock(mutex_);
  std::erase_if(plans_, [](const auto& entry) { return entry.second.expired(); });
  auto& slot = plans_[std::move(key)];
  if (auto other = slot.lock()) return other;
  slot = made;
  return made;
} catch (const std::bad_alloc&) {
  fail("Program: out of memory while planning for ", threads, " threads and inputs of ", to_string(inputs));
}

std::vector<Placement> Program::placements() const { return octet::placements(model_, *nominal_); }

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// Fusion: sequences of modules become one, in the place of the last and under the name of the first.
#include <algorithm>
#include <map>
#include <set>

#include "engine/graph.h"
#include "engine/module_check.h"
#include "engine/ops/fusion.h"
#include "kernels/float_scope.h"
#include "quant/pairing.h"
#include "quant/quantize.h"

namespace octet {
namespace {

/// Indices of the modules to fuse, in dataflow order.
using Sequence = std::vector<int>;

Part part_of(const Module& module) { return traits_of(module.op).part; }
/// A sum that ends in no activation.
bool is_addition(const Module& module) { return part_of(module) == Part::sum && takes_activation(module.op); }

class Fuser {
 public:
  Fuser(const Model& model, Aim aim) : model_(model), aim_(aim), graph_(model), calls_(model.modules.size(), 1) {
    check_wiring(model);
    for (size_t i = 0; i < model.modules.size(); ++i) {
      const Module& module = model.modules[i];
      check(module.hooks.empty(), module.path, ": fuse before prepare; it has hooks");
      for (const auto& [name, tensor] : module.params)
        check(!tensor.qparams(), module.path, ": fuse takes a float model; ", name, " is quantized");
      check(module.out_q.empty(), module.path, ": fuse takes a float model; this one is converted");
      if (!model.modules[i].tied_to.empty()) {
        ++calls_[model.index(model.modules[i].tied_to)];
        ++calls_[i];
      }
    }
    std::vector<Shape> twice;
    for (const Module& module : model.modules)
      if (std::holds_alternative<Input>(module.op) && twice.emplace_back(module.nominal[0]).size() > 0) twice.back()[0] *= 2;
    try {
      larger_ = infer_shapes(model, twice);
    } catch (const Error&) {  // it takes no other batch
    }
  }

  /// Whether module `next` can join a sequence that ends in `last` and began as `first`.
  bool joins(const Sequence& s, int next, bool residual) const {
    const Module &first = at(s.front()), &last = at(s.back()), &module = at(next);
    if (calls_[s.front()] > 1 || calls_[next] > 1) return false;
    if (only_reader(s.back()) != next) return false;
    const bool bare = s.size() == 1, after_bn = part_of(last) == Part::norm, after_add = !bare && is_addition(last);
    if (part_of(module) == Part::norm)
      return bare && takes_activation(first.op) && takes_norm(first.op, module.op, aim_ == Aim::training);
    if (part_of(module) == Part::clamp) return (bare && takes_activation(first.op)) || after_bn || after_add;
    if (!is_addition(module) || !residual || aim_ != Aim::inference) return false;
    // The convolution moves to where the addition stands, so that the residual exists; it must not be the convolution itself.
    const int other = module.inputs[module.inputs[0].module == s.back()].module;
    const Wire& beside = module.inputs[module.inputs[0].module == s.back()];
    bool whole = at(other).nominal[static_cast<size_t>(beside.port)] == last.nominal[0];  // nothing is repeated
    if (!larger_.empty())  // nor of other batches: a constant stays as it is
      whole &= larger_[static_cast<size_t>(other)][static_cast<size_t>(beside.port)] == larger_[static_cast<size_t>(s.back())][0];
    return takes_residual(first.op) && takes_activation(first.op) && (bare || after_bn) && other != s.back() && whole;
  }

  std::vector<Sequence> find(const FuseOptions& options) const {
    std::vector<Sequence> found;
    std::set<int> used;
    // Weighted layers before plain additions, which would otherwise take their activation themselves; later ones first, so that of
    // two convolutions that feed one addition the later one takes it.
    for (const bool additions : {false, true})
      for (int i = static_cast<int>(model_.modules.size()) - 1; i >= 0; --i) {
        if (used.contains(i) || !takes_activation(at(i).op) || is_addition(at(i)) != additions) continue;
        Sequence s{i};
        for (int next = only_reader(i); next >= 0 && !used.contains(next) && joins(s, next, options.residual);
             next = only_reader(next))
          s.push_back(next);
        if (s.size() < 2) continue;
        used.insert(s.begin(), s.end());
        found.push_back(std::move(s));
      }
    return found;
  }

  Model apply(const std::vector<Sequence>& sequences) const {
    std::map<int, const Sequence*> by_last;
    std::set<int> inner;
    for (const Sequence& s : sequences) {
      by_last[s.back()] = &s;
      inner.insert(s.begin(), s.end() - 1);
    }
    Model fused;
    fused.rounding = model_.rounding;
    fused.interface = model_.interface;
    std::vector<int> moved(model_.modules.size(), -1);
    const auto rewire = [&](Wire w) { return Wire{moved[w.module], w.port}; };
    for (int i = 0; i < static_cast<int>(model_.modules.size()); ++i) {
      if (inner.contains(i)) continue;
      const auto found = by_last.find(i);
      Module module = found == by_last.end() ? at(i) : merged(*found->second);
      for (Wire& w : module.inputs) w = rewire(w);
      moved[i] = static_cast<int>(fused.modules.size());
      fused.modules.push_back(std::move(module));
    }
    for (const Wire& w : model_.outputs) fused.outputs.push_back(rewire(w));
    return fused;
  }

  const Module& at(int i) const { return model_.modules[i]; }

 private:
  /// The module that alone reads this one, perhaps twice; -1: there are several, a model output is one, or nobody reads it.
  int only_reader(int module) const {
    const std::vector<int>& readers = graph_.readers(module);
    return readers.empty() || readers.front() != readers.back() || readers.back() == graph_.end() ? -1 : readers.front();
  }

  /// One module that computes the sequence, still on the old wires.
  Module merged(const Sequence& s) const {
    Module m = at(s.front());
    int previous = s.front();
    for (size_t i = 1; i < s.size(); ++i) {
      const Module& next = at(s[i]);
      m.fused.push_back(next.path);
      m.fused.insert(m.fused.end(), next.fused.begin(), next.fused.end());
      if (part_of(next) == Part::norm) {
        take_norm(m, next, aim_ == Aim::training);
      } else if (is_addition(next)) {
        take_residual(m.op);
        m.inputs.push_back(next.inputs[next.inputs[0].module == previous]);
      } else {
        set_activation(m.op, activation_of(next.op));
      }
      previous = s[i];
    }
    m.nominal = at(s.back()).nominal;
    return m;
  }

  const Model& model_;
  Aim aim_;
  Graph graph_;
  std::vector<int> calls_;                    // more than one: tied
  std::vector<std::vector<Shape>> larger_{};  // shapes of a batch twice the nominal one; none if there is no such batch
};

}  // namespace

namespace {

/// The model with those batch norms as layers that are in none of the sequences.
Model with_norms_as_layers(Model model, const std::vector<Sequence>& sequences) {
  std::set<int> taken;
  for (const Sequence& s : sequences) taken.insert(s.begin(), s.end());
  for (size_t i = 0; i < model.modules.size(); ++i)
    if (Module& module = model.modules[i];
        is_picture_norm(module) && !taken.contains(static_cast<int>(i)) && !is_tied(model, module))
      become_layer(module);
  return model;
}

}  // namespace

Model fuse(const Model& given, Aim aim, const FuseOptions& options) try {
  const FloatScope environment;
  check_model(given);
  const bool layers = aim == Aim::inference && options.lone_norms;
  const Model model = layers ? with_norms_as_layers(given, Fuser(given, aim).find(options)) : given;
  const Fuser fuser(model, aim);
  return fuser.apply(fuser.find(options));
} catch (const std::bad_alloc&) {
  fail("fuse: out of memory");
}

std::vector<std::vector<std::string>> fusable(const Model& model) {
  Model bare;  // the wiring alone: what it computes with does not matter
  bare.outputs = model.outputs;
  for (const Module& m : model.modules)
    bare.modules.push_back({.path = m.path, .op = m.op, .inputs = m.inputs, .tied_to = m.tied_to, .nominal = m.nominal});
  const Fuser fuser(bare, Aim::inference);
  std::vector<std::vector<std::string>> all;
  for (const Sequence& s : fuser.find({.residual = false})) {
    std::vector<std::string>& paths = all.emplace_back();
    for (const int i : s) paths.push_back(model.modules[static_cast<size_t>(i)].path);
  }
  return all;
}

Model fuse(const Model& model, const std::vector<std::vector<std::string>>& sequences, Aim aim) try {
  const FloatScope environment;
  check_model(model);
  const Fuser fuser(model, aim);
  std::vector<Sequence> chosen;
  std::set<int> used;
  for (const auto& paths : sequences) {
    check(paths.size() >= 2, "fuse: a sequence needs two modules or more, got ", paths.size());
    Sequence s{model.index(paths[0])};
    for (size_t i = 1; i < paths.size(); ++i) {
      const int next = model.index(paths[i]);
      check(fuser.joins(s, next, true), "fuse: ", paths[i], " (", name_of(model.modules[next].op), ") cannot follow ", paths[i - 1],
            " (", name_of(model.modules[s.back()].op), ") here: no known sequence, a value somebody else reads, or a tied module");
      s.push_back(next);
    }
    for (const int i : s) check(used.insert(i).second, "fuse: ", model.modules[i].path, " is in two sequences");
    chosen.push_back(std::move(s));
  }
  return fuser.apply(chosen);
} catch (const std::bad_alloc&) {
  fail("fuse: out of memory");
}

}  // namespace octet

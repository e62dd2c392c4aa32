// SPDX-License-Identifier: Apache-2.0
// Everything is looked at before anything is said, and everything is right before the model is touched.
#include "io/state_dict.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <map>
#include <new>
#include <optional>
#include <set>

#include "engine/module_check.h"
#include "io/model_tensors.h"
#include "io/torch_layout.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

constexpr std::string_view kBatches = "num_batches_tracked", kMean = "running_mean";

/// "'a', 'b'"
void list(std::string& text, std::string_view title, const std::vector<std::string>& items) {
  for (size_t i = 0; i < items.size(); ++i)
    text += (i == 0 ? (text.empty() ? "" : "; ") + std::string(title) + " " : ", ") + items[i];
}

std::string in_quotes(std::string_view key) {
  std::string text(1, '\'');
  text += key;
  return text += '\'';
}

bool equal(const Tensor& a, const Tensor& b) {
  return a.shape() == b.shape() && a.dtype() == b.dtype() && (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
}

/// The type of the model's floats; f32 where it has none yet.
DType float_type(const Model& model) {
  for (const Module& m : model.modules)
    for (const auto& [name, tensor] : m.params)
      if (!tensor.qparams()) return tensor.dtype();
  return DType::f32;
}

/// What is wrong with the values; "" if nothing is.
std::string value_fault(const Tensor& t, DType wanted) {
  if (t.dtype() != DType::f32 && t.dtype() != DType::f64) return "expected floats, got " + std::string(to_string(t.dtype()));
  return dispatch_float(t.dtype(), "state dict", [&]<class T>() -> std::string {
    // From here on rounding to f32 gives infinity.
    const bool narrow = sizeof(T) == 8 && wanted == DType::f32;
    const auto values = t.data<T>();
    for (size_t i = 0; i < values.size(); ++i) {
      if (!std::isfinite(values[i])) return "element " + std::to_string(i) + " is not finite";
      if (narrow && std::abs(values[i]) >= T(0x1.ffffffp127)) return "element " + std::to_string(i) + " is beyond float32";
    }
    return "";
  });
}

class Loader {
 public:
  Loader(const Model& model, SafeTensors file, std::string_view name, const StateDictOptions& options)
      : model_(model), name_(name), options_(options), params_(torch_params(model)), type_(float_type(model)) {
    for (auto& [key, tensor] : file.tensors) {
      if (key.starts_with(options.prefix) && key.size() > options.prefix.size())
        tensors_.emplace(key.substr(options.prefix.size()), std::move(tensor));
      else
        report_.unexpected.push_back(key);
    }
    report_.notes = std::move(file.notes);
  }

  StateDictReport run(Model& model) {
    Model loaded = model_;
    for (const TorchParam& p : params_) take(p, loaded);
    take_ties();
    take_batches();
    for (const auto& [key, tensor] : tensors_)
      if (!used_.contains(key)) report_.unexpected.push_back(options_.prefix + key);
    say_errors();
    model = std::move(loaded);
    return std::move(report_);
  }

 private:
  /// The key of the two that the file has; the first if it has neither.
  const std::string& key_of(const TorchParam& p) const {
    return !p.other_key.empty() && !tensors_.contains(p.key) && tensors_.contains(p.other_key) ? p.other_key : p.key;
  }
  /// The same parameter by the name of a module that is tied to its owner.
  std::optional<std::string> tied_key(const TorchParam& p) const {
    const std::string& path = model_.modules[static_cast<size_t>(p.module)].path;
    if (!p.key.starts_with(path)) return std::nullopt;
    for (const Module& m : model_.modules)
      if (m.tied_to == path && tensors_.contains(m.path + p.key.substr(path.size()))) return m.path + p.key.substr(path.size());
    return std::nullopt;
  }

  void take(const TorchParam& p, Model& loaded) {
    std::string key = key_of(p);
    if (!tensors_.contains(key)) key = tied_key(p).value_or(key);
    const auto found = tensors_.find(key);
    if (found == tensors_.end()) {
      report_.missing.push_back(options_.prefix + key);
      missing_.push_back(in_quotes(options_.prefix + key) + " " + to_string(p.shape));
      return;
    }
    used_.insert(key);
    const Tensor& t = found->second;
    const std::string quoted_key = in_quotes(options_.prefix + key);
    if (t.shape() != p.shape && (p.other_shape.empty() || t.shape() != p.other_shape)) {
      wrong_.push_back(quoted_key + ": expected shape " + to_string(p.shape) + ", got " + to_string(t.shape()));
    } else if (const std::string fault = value_fault(t, type_); !fault.empty()) {
      wrong_.push_back(quoted_key + ": " + fault);
    } else {
      loaded.modules[static_cast<size_t>(p.module)].params.insert_or_assign(p.param, from_torch(t.to(type_), p));
    }
  }

  /// A module called twice may be in the file by both of its names, but with the same values.
  void take_ties() {
    for (const Module& m : model_.modules) {
      if (m.tied_to.empty()) continue;
      for (const TorchParam& p : params_) {
        if (model_.modules[static_cast<size_t>(p.module)].path != m.tied_to || !p.key.starts_with(m.tied_to)) continue;
        const std::string key = m.path + p.key.substr(m.tied_to.size());
        const auto own = tensors_.find(key), owner = tensors_.find(key_of(p));
        if (own == tensors_.end()) continue;
        used_.insert(key);
        if (owner != tensors_.end() && !equal(own->second, owner->second))
          wrong_.push_back(in_quotes(options_.prefix + key) + ": differs from " + in_quotes(options_.prefix + owner->first) +
                           ", to which it is tied");
      }
    }
  }

  /// Counters of batch norms, which octet has no use for.
  void take_batches() {
    size_t count = 0;
    for (const auto& [key, tensor] : tensors_) {
      if (!key.ends_with(kBatches)) continue;
      const std::string mean = key.substr(0, key.size() - kBatches.size()) + std::string(kMean);
      if (used_.contains(mean)) used_.insert(key), ++count;
    }
    if (count > 0)
      report_.notes.push_back(std::string(name_) + ": " + std::string(kBatches) +
                              " of batch norms are not kept: " + std::to_string(count));
  }

  /// What probably happened; "" if there is no telling. A look at some keys is enough, and files may have hundreds of thousands.
  std::string advice() const {
    constexpr size_t kLook = 500;
    const std::span<const std::string> missing(report_.missing.data(), std::min(report_.missing.size(), kLook));
    const std::span<const std::string> unexpected(report_.unexpected.data(), std::min(report_.unexpected.size(), kLook));
    for (const std::string& key : missing)
      for (const std::string& other : unexpected) {
        if (other.size() > key.size() && other.ends_with("." + key))
          return "; keys of the file begin with '" + other.substr(0, other.size() - key.size()) + "': give it as prefix";
        if (!options_.prefix.empty() && options_.prefix + other == key) return "; keys of the file have no such prefix";
      }
    for (const Module& m : model_.modules)
      for (const std::string& path : m.fused)
        for (const std::string& other : unexpected)
          if (below(other, options_.prefix + path)) return "; the model is fused: load the weights before";
    return "";
  }

  void say_errors() const {
    std::string text;
    std::vector<std::string> unexpected;
    for (const std::string& key : report_.unexpected) unexpected.push_back(in_quotes(key));
    if (options_.strict) {
      list(text, "missing", missing_);
      list(text, "unexpected", unexpected);
    }
    list(text, "wrong", wrong_);
    if (!text.empty()) fail(name_, ": does not fit the model: ", text, advice());
  }

  const Model& model_;
  std::string_view name_;
  const StateDictOptions& options_;
  std::vector<TorchParam> params_;
  DType type_;
  std::map<std::string, Tensor> tensors_;  // without the prefix
  std::set<std::string> used_;
  std::vector<std::string> missing_, wrong_;  // as they are said
  StateDictReport report_;
};

}  // namespace

StateDictReport parse_state_dict(Model& model, std::span<const std::byte> bytes, std::string_view name,
                                 const StateDictOptions& options) try {
  const FloatScope environment;
  check_wiring(model);
  SafeTensors file = parse_safetensors(bytes, name);
  check(!file.metadata.contains(kCheckpointKey), name, ": is a checkpoint of octet, not of PyTorch; load_checkpoint reads it");
  check(!file.metadata.contains(kModelKey), name, ": is an octet model, not PyTorch's state dict; load_model reads it");
  return Loader(model, std::move(file), name, options).run(model);
} catch (const std::bad_alloc&) {
  fail("parse_state_dict: out of memory");
}

Bytes state_dict_bytes(const Model& model, std::string_view name, const StateDictOptions& options) try {
  const FloatScope environment;
  check_model(model);
  SafeTensors file;
  file.metadata.emplace("format", "pt");
  for (const TorchParam& p : torch_params(model)) {
    const Module& m = model.modules[static_cast<size_t>(p.module)];
    check(file.tensors.emplace(options.prefix + p.key, to_torch(m.params.at(p.param), p)).second, name,
          ": two parameters would be named '", options.prefix + p.key, "'");
  }
  return safetensors_bytes(file, name);
} catch (const std::bad_alloc&) {
  fail("state_dict_bytes: out of memory");
}

StateDictReport load_state_dict(Model& model, const std::string& path, const StateDictOptions& options) {
  return parse_state_dict(model, read_file(path, kMaxSafeTensorsFile), path, options);
}

void save_state_dict(const Model& model, const std::string& path, const StateDictOptions& options) {
  write_file(path, state_dict_bytes(model, path, options));
}

}  // namespace octet

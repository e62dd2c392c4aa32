// SPDX-License-Identifier: Apache-2.0
// A model file with one more metadata entry, "octet.checkpoint": {"version", "epoch", "step", "states": {name: [key]}}. The tensors
// of a state are named "checkpoint/<name>/<key>".
#include "io/checkpoint.h"

#include <limits>
#include <new>

#include "io/json.h"
#include "io/model_tensors.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

constexpr int64_t kVersion = 1;
constexpr int kCheckpointDepth = 4;
constexpr int64_t kMost = std::numeric_limits<int64_t>::max();

std::string tensor_name(std::string_view state, std::string_view key) {
  return std::string(kCheckpointPrefix) + std::string(state) + "/" + std::string(key);
}

}  // namespace

const StateDict& Checkpoint::state(std::string_view name) const {
  if (const auto found = states.find(name); found != states.end()) return found->second;
  std::string names;
  for (const auto& [known, state] : states) names += (names.empty() ? "" : ", ") + known;
  fail("checkpoint: has no state \"", name, "\", only ", names.empty() ? "none at all" : names);
}

Bytes checkpoint_bytes(const Checkpoint& checkpoint, std::string_view name) try {
  const FloatScope environment;
  check(checkpoint.epoch >= 0 && checkpoint.step >= 0, name, ": epoch ", checkpoint.epoch, " and step ", checkpoint.step,
        " of a checkpoint must not be negative");
  SafeTensors file;
  put_model(file, checkpoint.model, name);
  for (const auto& [key, tensor] : file.tensors)
    check(!key.starts_with(kCheckpointPrefix), name, ": '", key, "' of the model is named like a checkpoint's state");
  json::Value states = json::Value::object();
  for (const auto& [state, tensors] : checkpoint.states) {
    check(!state.empty() && state.find('/') == std::string::npos, name, ": '", state,
          "' cannot name a state: it is empty or has a '/'");
    json::Value& keys = states[state] = json::Value::array();
    for (const auto& [key, tensor] : tensors) {
      check(!tensor.qparams(), name, ": state '", state, "': '", key, "' holds codes; a state holds plain numbers");
      file.tensors.emplace(tensor_name(state, key), tensor);
      keys.push_back(key);
    }
  }
  const json::Value root{
      {"version", kVersion}, {"epoch", checkpoint.epoch}, {"step", checkpoint.step}, {"states", std::move(states)}};
  file.metadata.emplace(kCheckpointKey, json::dump(root, name));
  return safetensors_bytes(file, name);
} catch (const std::bad_alloc&) {
  fail("checkpoint_bytes: out of memory");
}

Checkpoint parse_checkpoint(std::span<const std::byte> bytes, std::string_view name, const HookFactory& make,
                            const CustomFactory& custom) try {
  const FloatScope environment;
  SafeTensors file = parse_safetensors(bytes, name);
  const auto text = file.metadata.find(kCheckpointKey);
  check(text != file.metadata.end(), name, ": is no checkpoint (no metadata entry ", kCheckpointKey, "); load_model reads models");
  const std::string where = std::string(name) + ": " + kCheckpointKey;
  const json::Value root = json::parse(text->second, where, kCheckpointDepth);
  const int64_t version = json::integer(json::at(root, "version", where), 0, kMost, where + ": version");
  check(version == kVersion, where, ": version ", version, " is unknown, this octet reads ", kVersion);
  json::expect_object(root, {"version", "epoch", "step", "states"}, where);
  Checkpoint checkpoint;
  checkpoint.epoch = json::integer(json::at(root, "epoch", where), 0, kMost, where + ": epoch");
  checkpoint.step = json::integer(json::at(root, "step", where), 0, kMost, where + ": step");
  const json::Value& states = json::at(root, "states", where);
  check(states.is_object(), where, ": states: expected a JSON object, got ", states.type_name());
  for (const auto& item : states.items()) {
    StateDict& state = checkpoint.states[item.key()];
    for (const json::Value& v : json::array(item.value(), where + ": state '" + item.key() + "'")) {
      const std::string& key = json::string(v, where + ": state '" + item.key() + "'");
      auto node = file.tensors.extract(tensor_name(item.key(), key));
      check(!node.empty(), where, ": state '", item.key(), "': the file has no tensor '", tensor_name(item.key(), key), "'");
      state.emplace(key, std::move(node.mapped()));
    }
  }
  checkpoint.model = take_model(file, name, make, custom);
  checkpoint.notes = std::move(file.notes);
  return checkpoint;
} catch (const std::bad_alloc&) {
  fail("parse_checkpoint: out of memory");
}

void save_checkpoint(const std::string& path, const Checkpoint& checkpoint) {
  write_file(path, checkpoint_bytes(checkpoint, path));
}

Checkpoint load_checkpoint(const std::string& path, const HookFactory& make, const CustomFactory& custom) {
  return parse_checkpoint(read_file(path, kMaxSafeTensorsFile), path, make, custom);
}

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// Hooks: values that sit on a module's weight or output and may observe it, change it, or both. The engine runs them and knows
// nothing of what they are for.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "engine/op_call.h"
#include "engine/state.h"

namespace octet {

class Hook {
 public:
  virtual ~Hook() = default;
  /// Sees the value and returns what flows on. May move its own state unless mode is eval. `path` is the module, for messages.
  virtual Var operator()(const Var&, Mode mode, std::string_view path) = 0;
  /// The same without moving anything.
  virtual Var peek(const Var&, std::string_view path) const = 0;
  virtual std::unique_ptr<Hook> clone() const = 0;
  /// "fake_quantize:histogram": enough to make an equal hook, together with state().
  virtual std::string kind() const = 0;
  virtual StateDict state() const = 0;
  virtual void load(const StateDict&) = 0;
};

/// Holds a hook by value: copying the box copies the hook.
class HookBox {
 public:
  HookBox() = default;
  HookBox(std::unique_ptr<Hook> hook) : hook_(std::move(hook)) {}  // NOLINT(google-explicit-constructor)
  HookBox(const HookBox& other) : hook_(other.hook_ ? other.hook_->clone() : nullptr) {}
  HookBox(HookBox&&) noexcept = default;
  HookBox& operator=(HookBox other) noexcept {
    hook_.swap(other.hook_);
    return *this;
  }
  explicit operator bool() const { return hook_ != nullptr; }
  Hook* operator->() { return hook_.get(); }
  const Hook* operator->() const { return hook_.get(); }
  Hook& operator*() { return *hook_; }
  const Hook& operator*() const { return *hook_; }

 private:
  std::unique_ptr<Hook> hook_;
};

}  // namespace octet

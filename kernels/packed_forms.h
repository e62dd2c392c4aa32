// SPDX-License-Identifier: Apache-2.0
// Weights in the layouts that engines want, kept beside the tables they were made from: every kernel of one Blobs (other batch
// sizes, other numbers of threads) shares them, and whoever counts memory finds each once.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace octet {

/// One layer's weights in an engine's own layout.
class PackedForm {
 public:
  virtual ~PackedForm() = default;
  virtual int64_t bytes() const = 0;
};

/// The packed forms of one Blobs; thread-safe, and const to all but itself. A copy starts empty, because copied tables may still be
/// edited.
class PackedForms {
 public:
  PackedForms() = default;
  PackedForms(const PackedForms&) {}
  PackedForms& operator=(const PackedForms& other) {
    if (this == &other) return *this;
    const std::lock_guard lock(mutex_);
    forms_.clear();
    return *this;
  }

  /// The form of type Form for which fits(form) holds; if there is none, what pack() makes, which then stays.
  template <class Form, class Fits, class Pack>
  std::shared_ptr<const Form> find_or_pack(const Fits& fits, const Pack& pack) const {
    const std::lock_guard lock(mutex_);
    for (const auto& form : forms_)
      if (auto found = std::dynamic_pointer_cast<const Form>(form); found != nullptr && fits(*found)) return found;
    auto packed = std::make_shared<const Form>(pack());
    forms_.push_back(packed);
    return packed;
  }

  int64_t bytes() const {
    const std::lock_guard lock(mutex_);
    int64_t sum = 0;
    for (const auto& form : forms_) sum += form->bytes();
    return sum;
  }

 private:
  mutable std::mutex mutex_;
  mutable std::vector<std::shared_ptr<const PackedForm>> forms_;
};

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// A layer's weights, codes or floats: as the model stores them, shared and not copied, and in the layouts that kernels want. Every
// kernel of a layer (other batch sizes, other numbers of threads) shares them, and whoever counts memory finds each once.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

namespace octet {

/// One layer's weights in a kernel's own layout.
template <class T>
class PackedFormOf {
 public:
  virtual ~PackedFormOf() = default;
  virtual int64_t bytes() const = 0;
  /// Whether unpacked() gives the plain weights again, row by row.
  virtual bool unpacks() const { return false; }
  virtual std::vector<T> unpacked() const { return {}; }
};

/// Thread-safe, and const to all but itself. Plain weights that nobody holds any more may be let go where a packed form can give
/// them back. A copy has the plain ones alone, because copied tables may still be edited.
template <class T>
class WeightsOf {
 public:
  using Form = PackedFormOf<T>;

  WeightsOf() = default;
  WeightsOf(std::vector<T> elements) : size_(elements.size()) {  // NOLINT: elements are what weights are
    const auto kept = std::make_shared<std::vector<T>>(std::move(elements));
    plain_ = {kept, kept->data()};
  }
  WeightsOf(std::shared_ptr<const T> elements, size_t size) : size_(size), plain_(std::move(elements)) {}
  WeightsOf(const WeightsOf& other) : size_(other.size_), plain_(other.plain()) {}
  WeightsOf& operator=(const WeightsOf& other) {
    if (this == &other) return *this;
    std::shared_ptr<const T> plain = other.plain();
    const std::lock_guard lock(mutex_);
    forms_.clear(), size_ = other.size_, plain_ = std::move(plain);
    return *this;
  }

  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  /// The plain weights, made from a packed form if they were let go; null if there are none.
  std::shared_ptr<const T> plain() const {
    const std::lock_guard lock(mutex_);
    return restored();
  }
  /// While something else holds the plain weights: a pointer to them, for what runs once.
  const T* data() const { return plain().get(); }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }

  /// The form of type Wanted for which fits(form) holds; if there is none, what pack(plain weights) makes, which then stays.
  template <class Wanted, class Fits, class Pack>
  std::shared_ptr<const Wanted> find_or_pack(const Fits& fits, const Pack& pack) const {
    const std::lock_guard lock(mutex_);
    for (const auto& form : forms_)
      if (auto found = std::dynamic_pointer_cast<const Wanted>(form); found != nullptr && fits(*found)) return found;
    auto packed = std::make_shared<const Wanted>(pack(restored().get()));
    forms_.push_back(packed);
    return packed;
  }

  /// Calls f for every packed form there is.
  template <class F>
  void each_form(const F& f) const {
    const std::lock_guard lock(mutex_);
    for (const auto& form : forms_) f(*form);
  }

  /// Frees the plain weights if nobody else holds them and a packed form can give them back. Returns whether they are gone.
  bool let_go() const {
    const std::lock_guard lock(mutex_);
    if (plain_ == nullptr || plain_.use_count() > 1) return plain_ == nullptr;
    for (const auto& form : forms_)
      if (form->unpacks()) return plain_.reset(), true;
    return false;
  }

  int64_t packed_bytes() const {
    const std::lock_guard lock(mutex_);
    int64_t sum = 0;
    for (const auto& form : forms_) sum += form->bytes();
    return sum;
  }
  /// Calls f(elements, bytes) if the plain weights are there.
  template <class F>
  void if_plain(const F& f) const {
    const std::lock_guard lock(mutex_);
    if (plain_ != nullptr) f(plain_.get(), static_cast<int64_t>(size_ * sizeof(T)));
  }

 private:
  const std::shared_ptr<const T>& restored() const {
    for (auto form = forms_.begin(); plain_ == nullptr && form != forms_.end(); ++form)
      if ((*form)->unpacks()) {
        const auto kept = std::make_shared<std::vector<T>>((*form)->unpacked());
        plain_ = {kept, kept->data()};
      }
    return plain_;
  }

  mutable std::mutex mutex_;
  size_t size_ = 0;
  mutable std::shared_ptr<const T> plain_;
  mutable std::vector<std::shared_ptr<const Form>> forms_;
};

using PackedForm = PackedFormOf<int8_t>;
using Weights = WeightsOf<int8_t>;
using FloatWeights = WeightsOf<float>;

}  // namespace octet

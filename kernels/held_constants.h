// SPDX-License-Identifier: Apache-2.0
// A layer's constants as kernels read them.
#pragma once

#include <memory>
#include <vector>

#include "kernels/kernel.h"
#include "kernels/ref/ref.h"

namespace octet {

/// Pointers into Blobs, which live as long as this does, with zeros in place of biases that a layer has not got.
class HeldConstants {
 public:
  HeldConstants(const KernelArgs& args, std::shared_ptr<const Blobs> blobs)
      : blobs_(blobs ? std::move(blobs) : std::make_shared<const Blobs>()), weight_(blobs_->weight.plain()) {
    const Blobs& b = *blobs_;
    const size_t zeros = has_channels(args) ? static_cast<size_t>(channels_of(args)) : 0;
    if (b.bias.empty()) no_bias_.resize(zeros);
    if (b.bias_codes.empty()) no_bias_codes_.resize(zeros * device_op(args).bias_words);
    channels_ = {data(b.scale),
                 data(b.bias.empty() ? no_bias_ : b.bias),
                 data(b.bias_codes.empty() ? no_bias_codes_ : b.bias_codes),
                 data(b.multiplier),
                 data(b.shift),
                 data(b.weight_zero_point)};
  }
  HeldConstants(const HeldConstants&) = delete;
  HeldConstants& operator=(const HeldConstants&) = delete;

  const int8_t* weight() const { return weight_.get(); }
  const kernels::Channels& channels() const { return channels_; }

 private:
  static bool has_channels(const KernelArgs& args) { return constants_of(args) == kernels::Constants::channels; }
  template <class T>
  static const T* data(const std::vector<T>& v) {
    return v.empty() ? nullptr : v.data();
  }

  std::shared_ptr<const Blobs> blobs_;
  std::shared_ptr<const int8_t> weight_;
  std::vector<float> no_bias_;
  std::vector<int32_t> no_bias_codes_;
  kernels::Channels channels_{};
};

}  // namespace octet

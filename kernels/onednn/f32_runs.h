// SPDX-License-Identifier: Apache-2.0
// How a float convolution, or a gradient of one, is cut for octet's threads: the same cut wherever it is computed, so that the same
// bits come out.
#pragma once

#include <algorithm>
#include <atomic>
#include <exception>
#include <memory>

#include "kernels/onednn/f32_convolution.h"
#include "kernels/onednn/primitive.h"
#include "kernels/parallel.h"

namespace octet {

class Kernel;
struct Blobs;
struct FloatConv2dArgs;
struct FloatPasses;

namespace onednn {

inline int64_t input_image(const ConvGeometry& g) { return g.in_h * g.in_w * g.in_c; }
inline int64_t output_image(const ConvGeometry& g) { return g.out_h * g.out_w * g.out_c; }
inline bool empty(const ConvGeometry& g) { return g.batch * input_image(g) * output_image(g) == 0; }
/// Forward passes that octet computes itself; its own kernels are faster on gray images.
inline bool declines(const ConvGeometry& g) { return empty(g) || g.in_c == 1; }

/// A pass cut into runs of images. Runs differ by one image at most, so there are at most two shapes.
class Runs {
 public:
  Runs(Pass pass, const ConvGeometry& g, bool bias) {
    constexpr int64_t kProducts = 500'000;  // 5 to 10 µs: what waking a thread costs
    const int64_t products = g.out_h * g.out_w * g.out_c * g.kernel_h * g.kernel_w * (g.in_c / g.groups);
    // With fewer images than threads octet's own kernels, which cut images, are ahead.
    if (products >= kProducts && g.batch < chunks(threads(), 1)) return;
    grain_ = std::max<int64_t>(1, kProducts / products);
    count_ = chunks(g.batch, grain_);
    ConvGeometry part = g;
    part.batch = g.batch / count_;
    shorter_ = longer_ = convolution(pass, part, bias);
    if (shorter_ == nullptr || g.batch % count_ == 0) return;
    ++part.batch;
    longer_ = convolution(pass, part, bias);
    // One packing of the weights serves both.
    if (longer_ == nullptr || longer_->own.w != shorter_->own.w) shorter_ = nullptr;
  }

  bool made() const { return shorter_ != nullptr; }
  int count() const { return count_; }
  const Convolution& any() const { return *shorter_; }
  /// That of a run of so many images.
  const Convolution& of(int64_t images) const { return images == shorter_->plain.x.get_dims()[0] ? *shorter_ : *longer_; }

  /// body(convolution, run, begin, end) for each run in parallel; false if one threw.
  template <class Body>
  bool each(int64_t batch, const Body& body) const {
    std::atomic<bool> good{true};
    parallel(batch, grain_, [&](int run, int64_t begin, int64_t end) {
      try {
        const OneThread one;
        body(of(end - begin), run, begin, end);
      } catch (const std::exception&) {
        good = false;  // may not leave a parallel()
      }
    });
    return good;
  }

 private:
  int64_t grain_ = 1;
  int count_ = 1;
  std::shared_ptr<const Convolution> shorter_, longer_;
};

/// A forward pass on fixed weights, for the threads() of now; null: declined.
std::unique_ptr<Kernel> make_conv2d(const FloatConv2dArgs&, const std::shared_ptr<const Blobs>&, const FloatPasses&);

}  // namespace onednn
}  // namespace octet

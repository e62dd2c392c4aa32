// SPDX-License-Identifier: Apache-2.0
// A finite but absurd number in calibration data (3e38 among pixels: a broken sensor, a wrong cast) would take the whole code range
// for itself, and would spread through the network. The guard limits it to what the rest of the data reaches.
#pragma once

#include <string_view>

#include "engine/hook.h"

namespace octet {

/// Remembers how far credible values reach. A value is absurd if it is 2^24 or larger, at least 2^24 times as large as every
/// smaller one, and if all such values ever seen are at most one in a hundred of those that are not zero. What comes more often is
/// data.
class OutlierGuard {
 public:
  /// Takes notice of a float tensor; the largest credible magnitude in it if some are absurd, else infinity. Throws naming `path`
  /// for a value that is not finite.
  float limit(const Tensor&, std::string_view path);
  /// Absurd values met so far, and the largest.
  int64_t clipped() const { return clipped_; }
  float worst() const { return worst_; }

  Tensor state() const;      ///< f64 [4]
  void load(const Tensor&);  ///< throws for another shape, dtype or impossible numbers

 private:
  float largest_ = 0, worst_ = 0;  // credible; absurd
  int64_t seen_ = 0, clipped_ = 0;
};

}  // namespace octet

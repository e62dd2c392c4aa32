// SPDX-License-Identifier: Apache-2.0
// Parameters that no data changes.
#include "quant/observers/fixed.h"

#include <algorithm>
#include <cmath>

#include "engine/quantize.h"
#include "kernels/float_scope.h"

namespace octet {

FixedQParamsObserver::FixedQParamsObserver(FixedRange range, std::pair<int32_t, int32_t> codes) {
  const FloatScope environment;
  const auto [lo, hi] = codes;
  if (lo < -128 || hi > 255) {  // 16 bits, around zero
    check(lo < 0 && lo >= -32768 && hi > 0 && hi <= 32767, "fixed_qparams: codes ", lo, "..", hi, ", expected 8 or 16 bits");
    const float reach = std::max(-range.lo, range.hi);
    check(reach > 0 && std::isfinite(reach), "fixed_qparams: ", range.lo, "..", range.hi, " on codes ", lo, "..", hi);
    qparams_ = {{reach / static_cast<float>(hi + 1)}, {0}, -1, 0, lo, hi};
    return;
  }
  check(lo < hi && range.lo <= 0 && range.hi > 0, "fixed_qparams: ", range.lo, "..", range.hi, " on codes ", lo, "..", hi);
  const float scale = (range.hi - range.lo) / static_cast<float>(hi - lo + 1), steps = -range.lo / scale;
  check(std::isnormal(scale) && std::nearbyint(steps) == steps && steps <= static_cast<float>(hi - lo),
        "fixed_qparams: zero has no code in ", range.lo, "..", range.hi, " on codes ", lo, "..", hi);
  qparams_ = {{scale}, {lo + static_cast<int32_t>(steps)}, -1, 0, lo, hi};
}

void FixedQParamsObserver::observe(const Tensor& x, std::string_view path) {
  if (x.numel() > 0) finite_min_max(x, path);
}

StateDict FixedQParamsObserver::state() const {
  StateDict state;
  state["scale"] = Tensor::of<float>({1}, std::vector<float>{qparams_.scale[0]});
  state["codes"] = Tensor::of<int32_t>({3}, std::vector<int32_t>{qparams_.zero_point[0], qparams_.qmin, qparams_.qmax});
  return state;
}

void FixedQParamsObserver::load(const StateDict& state) {
  const auto scale = state_tensor(state, "scale", DType::f32).data<float>();
  const auto codes = state_tensor(state, "codes", DType::i32).data<int32_t>();
  check(scale.size() == 1 && codes.size() == 3, "observer state: \"scale\" and \"codes\" have ", scale.size(), " and ",
        codes.size(), " values, expected 1 and 3");
  check(std::isnormal(scale[0]) && scale[0] > 0 && codes[1] < codes[2] && codes[1] <= codes[0] && codes[0] <= codes[2] &&
            code_dtype({{scale[0]}, {codes[0]}, -1, 0, codes[1], codes[2]}) != DType::i32,
        "observer state: scale ", scale[0], " and zero point ", codes[0], " on codes ", codes[1], "..", codes[2]);
  qparams_ = {{scale[0]}, {codes[0]}, -1, 0, codes[1], codes[2]};
}

}  // namespace octet

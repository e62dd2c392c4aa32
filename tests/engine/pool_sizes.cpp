// SPDX-License-Identifier: Apache-2.0
// How many windows a pool has and what each of them covers, counted window by window as PyTorch defines them.
#include <cmath>
#include <limits>

#include "engine/model.h"
#include "engine/random.h"
#include "tests/catch.h"

using namespace octet;

namespace {

/// Where the windows of one axis begin. ceil_mode: a window counts if it begins in the input or the padding before it, even if it
/// ends beyond the padding behind; without, it has to end within that.
std::vector<int64_t> begins(int64_t in, int64_t kernel, int64_t stride, int64_t before, int64_t after, bool ceil_mode) {
  std::vector<int64_t> all;
  for (int64_t at = -before; all.empty() || at < in; at += stride) {
    const bool whole = at + kernel <= in + after;
    const bool cut = ceil_mode && at < in && at - stride + kernel < in + after;  // something is left for it
    if (whole || cut) all.push_back(at);
    if (!whole) break;
  }
  // Windows that lie wholly in the padding behind count where nothing is cut.
  while (!ceil_mode && all.back() + stride + kernel <= in + after) all.push_back(all.back() + stride);
  return all;
}

double expected_at(const Pool2d& op, const Tensor& x, int64_t y0, int64_t x0, int64_t c) {
  const int64_t height = x.size(1), width = x.size(2), channels = x.size(3);
  const int64_t bottom = std::min(y0 + op.kernel.h, height + op.padding.bottom);
  const int64_t right = std::min(x0 + op.kernel.w, width + op.padding.right);
  double sum = 0, most = -std::numeric_limits<double>::infinity();
  int64_t cells = 0;
  for (int64_t v = std::max<int64_t>(y0, 0); v < std::min(bottom, height); ++v)
    for (int64_t u = std::max<int64_t>(x0, 0); u < std::min(right, width); ++u) {
      const double value = static_cast<double>(x.data<float>()[(v * width + u) * channels + c]);
      sum += value, most = std::max(most, value), ++cells;
    }
  if (op.kind == Pool::max) return most;
  return sum / static_cast<double>(op.count_include_pad ? (bottom - y0) * (right - x0) : cells);
}

}  // namespace

TEST_CASE("pools have the windows, sizes and values that counting by hand gives, in floor and ceil mode") {
  Generator g(1);
  int cut = 0, counted = 0;
  for (int i = 0; i < 3000; ++i) {
    const auto pick = [&](int64_t lo, int64_t hi) { return g.integer(lo, hi + 1); };
    Pool2d op;
    op.kind = pick(0, 1) == 0 ? Pool::max : Pool::average;
    op.kernel = {pick(1, 4), pick(1, 4)}, op.stride = {pick(1, 5), pick(1, 5)};
    op.ceil_mode = pick(0, 1) == 1, op.count_include_pad = pick(0, 1) == 1;
    const auto pad = [&](int64_t kernel) { return pick(0, kernel / 2); };
    op.padding = {pad(op.kernel.h), pad(op.kernel.w), pad(op.kernel.h), pad(op.kernel.w)};
    const Tensor x = randn(g, {1, pick(op.kernel.h, 9), pick(op.kernel.w, 9), 2});
    const auto rows = begins(x.size(1), op.kernel.h, op.stride.h, op.padding.top, op.padding.bottom, op.ceil_mode);
    const auto columns = begins(x.size(2), op.kernel.w, op.stride.w, op.padding.left, op.padding.right, op.ceil_mode);
    Model m;
    m.add("x", Input{x.shape()});
    m.add("pool", op);
    const Tensor y = infer(m, {&x, 1})[0];
    CAPTURE(i, to_string(x.shape()), op.kernel.h, op.kernel.w, op.stride.h, op.stride.w, op.padding.top, op.padding.left,
            op.padding.bottom, op.padding.right, op.ceil_mode, op.count_include_pad);
    REQUIRE(y.shape() == Shape{1, static_cast<int64_t>(rows.size()), static_cast<int64_t>(columns.size()), 2});
    size_t at = 0;
    for (const int64_t y0 : rows)
      for (const int64_t x0 : columns)
        for (int64_t c = 0; c < 2; ++c, ++at) {
          const double expected = expected_at(op, x, y0, x0, c);
          if (std::isfinite(expected)) REQUIRE(static_cast<double>(y.data<float>()[at]) == Approx(expected).margin(1e-6));
          const bool beyond = y0 + op.kernel.h > x.size(1) + op.padding.bottom;
          cut += beyond, counted += beyond && op.kind == Pool::average && op.count_include_pad;
        }
  }
  CHECK(cut > 1000);  // windows that only ceil mode has
  CHECK(counted > 200);
}

// SPDX-License-Identifier: Apache-2.0
// Float pooling and its gradients against plain loops.
#include "tests/f32/support.h"

using namespace octet;
using namespace octet::f32_tests;

namespace {

// batch, in_h, in_w, channels, out_h, out_w, kernel, stride, pad_top, pad_left, pad_bottom, pad_right, adaptive, count_include_pad
constexpr PoolGeometry kPools[] = {
    {1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, false, true},    {2, 8, 6, 16, 4, 3, 2, 2, 2, 2, 0, 0, 0, 0, false, true},
    {3, 14, 14, 37, 7, 7, 3, 3, 2, 2, 1, 1, 1, 1, false, true}, {3, 14, 14, 37, 7, 7, 3, 3, 2, 2, 1, 1, 1, 1, false, false},
    {2, 9, 7, 5, 9, 7, 3, 3, 1, 1, 1, 1, 1, 1, false, false},   {2, 9, 7, 70, 5, 6, 2, 3, 2, 1, 1, 0, 0, 1, false, true},
    {5, 7, 7, 64, 1, 1, 7, 7, 7, 7, 0, 0, 0, 0, false, true},   {2, 7, 5, 20, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, true, true},
    {2, 7, 5, 20, 3, 4, 0, 0, 0, 0, 0, 0, 0, 0, true, true},    {1, 3, 2, 9, 5, 4, 0, 0, 0, 0, 0, 0, 0, 0, true, true},
};

struct Sizes {
  explicit Sizes(const PoolGeometry& g) : x(g.batch * g.in_h * g.in_w * g.channels), y(g.batch * g.out_h * g.out_w * g.channels) {}
  int64_t x, y;
};

}  // namespace

TEST_CASE("max pooling and its gradient choose the same element as the plain loop") {
  for (const PoolGeometry& g : kPools) {
    const Sizes n(g);
    INFO(g.in_h << " x " << g.in_w << " to " << g.out_h << " x " << g.out_w << ", " << g.channels << " channels");
    auto x = random_floats(n.x, 1), dy = random_floats(n.y, 2);
    for (float& v : x) v = std::round(v * 4);    // many ties
    for (float& v : dy) v = std::round(v * 64);  // sums of integers are exact
    if (n.x > 3) x[static_cast<size_t>(n.x / 2)] = kNaN;
    std::vector<float> y(static_cast<size_t>(n.y)), dx(static_cast<size_t>(n.x));
    naive::pool2d_max(g, x.data(), y.data());
    naive::pool2d_max_grad(g, x.data(), dy.data(), dx.data());
    for_every_setting([&] {
      check_same(output_of(n.y, [&](float* out) { f32::pool2d_max(g, x.data(), out); }), y);
      check_same(output_of(n.x, [&](float* out) { f32::pool2d_max_grad(g, x.data(), dy.data(), out); }), dx);
    });
  }
}

TEST_CASE("the gradient of max pooling over equal elements goes to the first, even if all are -inf") {
  const PoolGeometry g{1, 2, 2, 1, 1, 1, 2, 2, 2, 2, 0, 0, 0, 0, false, true};
  const float dy = 3;
  for (const auto& [x, dx] : {std::pair{std::vector<float>{1, 1, 1, 1}, std::vector<float>{3, 0, 0, 0}},
                              {{-kInfinity, -kInfinity, -kInfinity, -kInfinity}, {3, 0, 0, 0}},
                              {{0, kNaN, 5, 1}, {0, 3, 0, 0}}})
    for_every_setting(
        [&, &x = x, &dx = dx] { check_same(output_of(4, [&](float* out) { f32::pool2d_max_grad(g, x.data(), &dy, out); }), dx); });
}

TEST_CASE("average pooling and its gradient equal the sums in double") {
  for (const PoolGeometry& g : kPools) {
    const Sizes n(g);
    INFO(g.in_h << " x " << g.in_w << " to " << g.out_h << " x " << g.out_w << ", " << g.channels << " channels");
    const auto x = random_floats(n.x, 3), dy = random_floats(n.y, 4);
    std::vector<double> y(static_cast<size_t>(n.y)), dx(static_cast<size_t>(n.x)), y_size(y.size()), dx_size(dx.size());
    naive::pool2d_average(g, doubles(x).data(), y.data());
    naive::pool2d_average(g, absolute(x).data(), y_size.data());
    naive::pool2d_average_grad(g, doubles(dy).data(), dx.data());
    naive::pool2d_average_grad(g, absolute(dy).data(), dx_size.data());
    const double terms = 49;  // the largest window; at most as many windows over one element
    for_every_setting([&] {
      check_close(output_of(n.y, [&](float* out) { f32::pool2d_average(g, x.data(), out); }), y, sum_error(terms), y_size);
      check_close(output_of(n.x, [&](float* out) { f32::pool2d_average_grad(g, dy.data(), out); }), dx, sum_error(terms), dx_size);
    });
  }
}

TEST_CASE("average pooling divides by the padded window only when padding counts") {
  PoolGeometry g{1, 2, 2, 1, 1, 1, 2, 2, 2, 2, 1, 1, 0, 0, false, true};
  const std::vector<float> x{8, 1, 1, 1};
  for_every_setting([&] {
    g.count_include_pad = true;
    check_same(output_of(1, [&](float* out) { f32::pool2d_average(g, x.data(), out); }), {2});
    g.count_include_pad = false;
    check_same(output_of(1, [&](float* out) { f32::pool2d_average(g, x.data(), out); }), {8});
  });
}

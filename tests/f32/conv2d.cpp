// SPDX-License-Identifier: Apache-2.0
// Float convolution and its gradients against loops in double, over the geometries that take different paths.
#include <filesystem>
#include <thread>

#include "kernels/float_provider.h"
#include "tests/f32/support.h"

using namespace octet;
using namespace octet::f32_tests;

namespace {

struct Case {
  const char* name;
  int64_t batch, in_h, in_w, in_c, out_c, kernel_h, kernel_w, stride_h, stride_w, dilation_h, dilation_w;
  int64_t pad_top, pad_left, pad_bottom, pad_right, groups;
};

constexpr Case kCases[] = {
    {"one of everything", 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"3x3, padded", 2, 9, 7, 8, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"3x3, many images", 9, 14, 14, 16, 24, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"3x3, odd channels", 1, 6, 5, 7, 13, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"3x3, stride 2", 3, 9, 8, 6, 10, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 1},
    {"stride larger than the kernel", 2, 11, 13, 5, 6, 2, 2, 3, 4, 1, 1, 0, 0, 0, 0, 1},
    {"asymmetric padding", 2, 8, 9, 6, 5, 3, 4, 1, 1, 1, 1, 0, 2, 3, 1, 1},
    {"asymmetric padding and strides", 2, 8, 9, 6, 5, 3, 4, 2, 1, 1, 1, 0, 2, 3, 1, 1},
    {"more padding than the kernel reaches", 1, 4, 4, 6, 5, 2, 2, 1, 1, 1, 1, 3, 4, 2, 3, 1},
    {"dilation", 2, 11, 12, 5, 6, 3, 3, 1, 1, 2, 3, 2, 3, 2, 3, 1},
    {"dilation and stride", 1, 11, 12, 5, 6, 3, 3, 2, 3, 2, 2, 2, 2, 2, 2, 1},
    {"kernel as large as the input", 3, 5, 4, 6, 9, 5, 4, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1", 3, 7, 5, 12, 20, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1, many rows", 4, 16, 16, 32, 32, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1, stride 2", 3, 7, 6, 12, 20, 1, 1, 2, 2, 1, 1, 0, 0, 0, 0, 1},
    {"1x1, padded", 1, 4, 4, 6, 6, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"1x1, groups", 2, 5, 5, 12, 8, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 4},
    {"groups", 2, 7, 8, 12, 18, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 3},
    {"groups, stride 2", 2, 7, 8, 12, 18, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 3},
    {"depthwise", 2, 9, 9, 37, 37, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 37},
    {"depthwise, many rows", 8, 14, 14, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 64},
    {"depthwise, stride 2", 2, 9, 12, 19, 19, 3, 3, 2, 2, 1, 1, 1, 1, 1, 1, 19},
    {"depthwise, 5x4, asymmetric", 1, 9, 12, 20, 20, 5, 4, 1, 1, 1, 1, 3, 0, 1, 2, 20},
    {"depthwise, dilation and strides", 2, 13, 12, 9, 9, 3, 5, 2, 1, 2, 2, 2, 4, 2, 4, 9},
    {"depthwise, more padding than the kernel reaches", 1, 3, 3, 5, 5, 2, 2, 1, 1, 1, 1, 3, 3, 3, 3, 5},
    {"depthwise with a channel multiplier", 2, 7, 6, 6, 12, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 6},
    {"first layer, gray", 3, 28, 28, 1, 16, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
    {"first layer, color, 7x7 stride 2", 2, 21, 18, 3, 20, 7, 7, 2, 2, 1, 1, 3, 3, 3, 3, 1},
    {"first layer, two channels, 5x5", 2, 9, 11, 2, 37, 5, 5, 1, 1, 1, 1, 2, 2, 2, 2, 1},
    {"first layer, asymmetric, dilation", 1, 12, 9, 4, 7, 3, 2, 1, 2, 2, 1, 3, 0, 0, 2, 1},
    {"first layer, more padding than the kernel reaches", 1, 3, 4, 3, 8, 2, 2, 1, 1, 1, 1, 3, 4, 3, 2, 1},
    {"1x1, three channels", 2, 9, 7, 3, 3, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1, two channels to four", 3, 5, 5, 2, 4, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"1x1, one channel to two", 1, 4, 6, 1, 2, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1},
    {"depthwise, rows of one to three inner columns", 2, 7, 5, 83, 83, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 83},
    {"depthwise, rows of two inner columns", 2, 5, 6, 67, 67, 3, 3, 1, 1, 1, 1, 1, 0, 1, 1, 67},
    {"one output channel", 2, 8, 8, 5, 1, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1},
};

ConvGeometry geometry(const Case& c) {
  const int64_t out_h = (c.in_h + c.pad_top + c.pad_bottom - c.dilation_h * (c.kernel_h - 1) - 1) / c.stride_h + 1;
  const int64_t out_w = (c.in_w + c.pad_left + c.pad_right - c.dilation_w * (c.kernel_w - 1) - 1) / c.stride_w + 1;
  return {c.batch,    c.in_h,     c.in_w,     c.in_c,       out_h,        out_w,     c.out_c,    c.kernel_h,
          c.kernel_w, c.stride_h, c.stride_w, c.dilation_h, c.dilation_w, c.pad_top, c.pad_left, c.groups};
}

/// Everything a convolution reads, and the sizes of what it writes.
struct Data {
  explicit Data(const ConvGeometry& g)
      : x(random_floats(g.batch * g.in_h * g.in_w * g.in_c, 1)),
        w(random_floats(g.out_c * g.kernel_h * g.kernel_w * (g.in_c / g.groups), 2)),
        bias(random_floats(g.out_c, 3)),
        dy(random_floats(g.batch * g.out_h * g.out_w * g.out_c, 4)) {}
  std::vector<float> x, w, bias, dy;
};

int64_t size(const std::vector<float>& x) { return static_cast<int64_t>(x.size()); }

}  // namespace

TEST_CASE("a convolution equals the sum in double") {
  for (const Case& c : kCases) {
    INFO(c.name);
    const ConvGeometry g = geometry(c);
    const Data d(g);
    const auto terms = static_cast<double>(g.kernel_h * g.kernel_w * (g.in_c / g.groups) + 1);
    for (const bool plain : {false, true}) {
      const float lo = plain ? -kInfinity : -0.25f, hi = plain ? kInfinity : 0.5f;
      std::vector<double> expected(d.dy.size()), magnitude(d.dy.size());
      const auto wide_bias = doubles(d.bias), positive_bias = absolute(d.bias);
      naive::conv2d(g, doubles(d.x).data(), doubles(d.w).data(), plain ? nullptr : wide_bias.data(), lo, hi, expected.data());
      naive::conv2d(g, absolute(d.x).data(), absolute(d.w).data(), plain ? nullptr : positive_bias.data(), -kInfinity, kInfinity,
                    magnitude.data());
      for_every_setting([&] {
        const auto y = output_of(
            size(d.dy), [&](float* out) { f32::conv2d(g, d.x.data(), d.w.data(), plain ? nullptr : d.bias.data(), lo, hi, out); });
        check_close(y, expected, sum_error(terms), magnitude);
      });
    }
  }
}

TEST_CASE("a fused convolution on weights packed ahead gives the bits of convolution, addition and limits") {
  int taps = 0, panels = 0;
  for (const Case& c : kCases) {
    INFO(c.name);
    const ConvGeometry g = geometry(c);
    const Data d(g);
    const int64_t row = size(d.w) / g.out_c;
    for_every_setting([&] {
      if (!std::string_view(f32::provider()).empty()) return;
      for (const bool with_bias : {false, true})
        for (const bool with_residual : {false, true}) {
          const float* bias = with_bias ? d.bias.data() : nullptr;
          const auto expected = output_of(size(d.dy), [&](float* y) {
            f32::conv2d(g, d.x.data(), d.w.data(), bias, -kInfinity, kInfinity, y);
            if (with_residual) f32::add(size(d.dy), y, d.dy.data(), y);
            f32::clamp(size(d.dy), y, -0.25F, 0.5F, y);
          });
          const f32::Epilogue e{bias, with_residual ? d.dy.data() : nullptr, -0.25F, 0.5F};
          const auto fused = [&](const f32::LayerWeights& w) {
            return output_of(size(d.dy), [&](float* y) { f32::conv2d_fused(g, d.x.data(), w, e, y); });
          };
          check_same(fused({d.w.data()}), expected);
          if (f32::conv2d_reads_taps(g)) {
            std::vector<float> turned(d.w.size());
            for (int64_t i = 0; i < size(d.w); ++i)
              turned[static_cast<size_t>(i % row * g.out_c + i / row)] = d.w[static_cast<size_t>(i)];
            check_same(fused({nullptr, turned.data()}), expected);
            ++taps;
          } else if (const f32::Panels how = f32::conv2d_panels(g); how.kc > 0) {
            const Packed packed(how, g.out_c, row, d.w);
            check_same(fused({.plain = nullptr, .panels = packed.data(), .how = how}), expected);
            ++panels;
          }
        }
    });
  }
  CHECK(taps > 20);
  CHECK(panels > 20);
}

TEST_CASE("a library's convolution equals the sum in double where it takes it, however small") {
  const FloatProvider* provider = float_provider();
  int taken = 0;
  for (const Case& c : kCases) {
    if (provider == nullptr) break;
    INFO(c.name);
    const ConvGeometry g = geometry(c);
    const Data d(g);
    std::vector<double> expected(d.dy.size()), magnitude(d.dy.size());
    naive::conv2d(g, doubles(d.x).data(), doubles(d.w).data(), doubles(d.bias).data(), -kInfinity, kInfinity, expected.data());
    naive::conv2d(g, absolute(d.x).data(), absolute(d.w).data(), absolute(d.bias).data(), -kInfinity, kInfinity, magnitude.data());
    for (const int threads : {1, 2, 3}) {
      const ThreadsScope scope(threads);
      bool took = false;
      const auto y =
          output_of(size(d.dy), [&](float* out) { took = provider->conv2d(g, d.x.data(), d.w.data(), d.bias.data(), out); });
      if (!took) continue;
      ++taken;
      check_close(y, expected, sum_error(static_cast<double>(g.kernel_h * g.kernel_w * (g.in_c / g.groups) + 1)), magnitude);
    }
  }
  CHECK((taken > 20) == (provider != nullptr));
}

TEST_CASE("a library's convolutions start no threads of their own") {
  const FloatProvider* provider = float_provider();
  const std::filesystem::path tasks = "/proc/self/task";
  if (provider == nullptr) OCTET_SKIP_CASE(kNoProvider);
  if (!std::filesystem::exists(tasks)) OCTET_SKIP_CASE("no /proc/self/task to count threads in");
  const auto count = [&] { return std::distance(std::filesystem::directory_iterator(tasks), {}); };
  bool took = false;
  int64_t before = 0, after = 0;
  // A thread of its own: teams belong to the thread that starts them, and an earlier test must not have left it one.
  std::thread([&] {
    const ThreadsScope scope(1);
    const ConvGeometry g =
        geometry({"", 8, 14, 14, 64, 64, 3, 3, 1, 1, 1, 1, 1, 1, 1, 1, 1});  // weights are rearranged, in and out
    const Data d(g);
    std::vector<float> y(d.dy.size()), dx(d.x.size()), dw(d.w.size());
    before = count();
    took = provider->conv2d(g, d.x.data(), d.w.data(), d.bias.data(), y.data());
    provider->conv2d_grad_input(g, d.dy.data(), d.w.data(), dx.data());
    provider->conv2d_grad_weight(g, d.x.data(), d.dy.data(), dw.data());
    after = count();
  }).join();
  CHECK(took);
  CHECK(after == before);
}

TEST_CASE("the gradient of a convolution's input equals the sum in double") {
  for (const Case& c : kCases) {
    INFO(c.name);
    const ConvGeometry g = geometry(c);
    const Data d(g);
    std::vector<double> expected(d.x.size()), magnitude(d.x.size());
    naive::conv2d_grad_input(g, doubles(d.dy).data(), doubles(d.w).data(), expected.data());
    naive::conv2d_grad_input(g, absolute(d.dy).data(), absolute(d.w).data(), magnitude.data());
    const auto terms = static_cast<double>(g.kernel_h * g.kernel_w * (g.out_c / g.groups));
    for_every_setting([&] {
      const auto dx = output_of(size(d.x), [&](float* out) { f32::conv2d_grad_input(g, d.dy.data(), d.w.data(), out); });
      check_close(dx, expected, sum_error(terms), magnitude);
    });
  }
}

TEST_CASE("the gradient of a convolution's weights equals the sum in double") {
  for (const Case& c : kCases) {
    INFO(c.name);
    const ConvGeometry g = geometry(c);
    const Data d(g);
    std::vector<double> expected(d.w.size()), magnitude(d.w.size());
    naive::conv2d_grad_weight(g, doubles(d.x).data(), doubles(d.dy).data(), expected.data());
    naive::conv2d_grad_weight(g, absolute(d.x).data(), absolute(d.dy).data(), magnitude.data());
    const auto terms = static_cast<double>(g.batch * g.out_h * g.out_w);
    for_every_setting([&] {
      const auto dw = output_of(size(d.w), [&](float* out) { f32::conv2d_grad_weight(g, d.x.data(), d.dy.data(), out); });
      check_close(dw, expected, sum_error(terms), magnitude);
    });
  }
}

TEST_CASE("a convolution whose reduction is as long as the cache blocks equals the sum in double") {
  // More im2col rows than one block holds, and a block smaller than its usual minimum.
  for (const ConvGeometry& g : {ConvGeometry{2, 30, 30, 8, 30, 30, 8, 3, 3, 1, 1, 1, 1, 1, 1, 1},
                                ConvGeometry{1, 9, 9, 300, 9, 9, 4, 3, 3, 1, 1, 1, 1, 1, 1, 1}}) {
    const Data d(g);
    std::vector<double> y(d.dy.size()), y_size(d.dy.size()), dw(d.w.size()), dw_size(d.w.size());
    naive::conv2d(g, doubles(d.x).data(), doubles(d.w).data(), nullptr, -kInfinity, kInfinity, y.data());
    naive::conv2d(g, absolute(d.x).data(), absolute(d.w).data(), nullptr, -kInfinity, kInfinity, y_size.data());
    naive::conv2d_grad_weight(g, doubles(d.x).data(), doubles(d.dy).data(), dw.data());
    naive::conv2d_grad_weight(g, absolute(d.x).data(), absolute(d.dy).data(), dw_size.data());
    for_every_setting([&] {
      check_close(
          output_of(size(d.dy), [&](float* out) { f32::conv2d(g, d.x.data(), d.w.data(), nullptr, -kInfinity, kInfinity, out); }),
          y, sum_error(static_cast<double>(9 * g.in_c)), y_size);
      check_close(output_of(size(d.w), [&](float* out) { f32::conv2d_grad_weight(g, d.x.data(), d.dy.data(), out); }), dw,
                  sum_error(static_cast<double>(g.batch * g.out_h * g.out_w)), dw_size);
    });
  }
}

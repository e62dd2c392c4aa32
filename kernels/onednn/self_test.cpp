// SPDX-License-Identifier: Apache-2.0
// Small layers full of exact ties and of the extremes at which pair products saturate, oneDNN against the reference kernel.
#include "kernels/onednn/self_test.h"

#include <algorithm>

#include "kernels/onednn/primitive.h"

namespace octet::onednn {
namespace {

using kernels::CodeType;
using kernels::Conv2dArgs;
using kernels::LinearArgs;

enum class Data { ties, extremes };

/// A fixed sequence: numbers in [0, n).
struct Sequence {
  uint32_t state = 1;
  int32_t below(int32_t n) {
    state = state * 1664525u + 1013904223u;
    return static_cast<int32_t>((state >> 16) % static_cast<uint32_t>(n));
  }
};

/// Empty if both engines give the same bytes, or if oneDNN declines this case: then there is nothing to distrust.
template <class Args>
std::string compare(Args a, const char* what, Data data, int32_t channels, size_t weights, size_t inputs) {
  Sequence s;
  auto blobs = std::make_shared<Blobs>();
  const bool ties = data == Data::ties;
  std::vector<int8_t> weight;
  for (size_t i = 0; i < weights; ++i) weight.push_back(static_cast<int8_t>(ties ? s.below(5) - 2 : s.below(4) == 0 ? -128 : 127));
  blobs->weight = std::move(weight);
  for (int32_t c = 0; c < channels; ++c) {
    blobs->scale.push_back(ties ? (c % 2 == 0 ? 0.5f : 0.25f) : 3e-5f * static_cast<float>(1 + c % 5));
    blobs->bias.push_back(ties ? static_cast<float>(s.below(7) - 3) * 0.5f : static_cast<float>(s.below(9) - 4) * 1.7f);
  }
  const int32_t lo = a.input_type == CodeType::i8 ? -128 : 0, out_lo = a.output_type == CodeType::i8 ? -128 : 0;
  a.input_zero_point = lo + 100;
  a.output = {ties ? 1.0f : 7.3f, out_lo + 101, out_lo, out_lo + 255};
  std::vector<uint8_t> x(inputs);
  for (uint8_t& v : x) v = static_cast<uint8_t>(lo + (ties ? 98 + s.below(5) : s.below(4) == 0 ? 0 : 255));
  std::vector<uint8_t> expected(static_cast<size_t>(output_bytes(a))), got(expected.size());
  const Made made = make_untested(a, blobs);
  if (made.kernel == nullptr) return {};
  const void* in[] = {x.data()};
  octet::make(a, blobs, QEngine::reference).kernel->run(in, expected.data());
  made.kernel->run(in, got.data());
  if (got == expected) return {};
  const auto at = std::ranges::mismatch(got, expected);
  const auto version = dnnl::version();
  return std::string("onednn: the self-test differs, ") + what + " in " + std::string(made.kernel->implementation()) + " of " +
         std::to_string(version->major) + "." + std::to_string(version->minor) + "." + std::to_string(version->patch) +
         ", output " + std::to_string(at.in1 - got.begin()) + ": " + std::to_string(*at.in1) + " instead of " +
         std::to_string(*at.in2);
}

template <class Compare>
std::string all(const Compare& compare) {
  for (const CodeType in : {CodeType::u8, CodeType::i8})
    for (const Data data : {Data::ties, Data::extremes})
      if (std::string difference = compare(in, data); !difference.empty()) return difference;
  return {};
}

std::string test_conv2d(const char* what, int32_t in_c, int32_t out_c, int32_t groups) {
  return all([&](CodeType in, Data data) {
    Conv2dArgs a{};
    a.batch = 1, a.in_h = 5, a.in_w = 6, a.in_c = in_c, a.out_h = 5, a.out_w = 6, a.out_c = out_c, a.groups = groups;
    a.kernel_h = a.kernel_w = 3, a.stride_h = a.stride_w = a.dilation_h = a.dilation_w = a.pad_top = a.pad_left = 1;
    a.input_type = in, a.output_type = in;
    return compare(a, what, data, out_c, static_cast<size_t>(out_c * 9 * (in_c / groups)), static_cast<size_t>(30 * in_c));
  });
}

std::string test_linear(const char* what, int32_t rows) {
  return all([&](CodeType in, Data data) {
    LinearArgs a{};
    a.rows = rows, a.in = 67, a.out = 33, a.input_type = in, a.output_type = in;
    return compare(a, what, data, a.out, static_cast<size_t>(a.in * a.out), static_cast<size_t>(a.rows * a.in));
  });
}

std::string first(std::initializer_list<std::string> differences) {
  for (const std::string& d : differences)
    if (!d.empty()) return d;
  return {};
}

}  // namespace

const std::string& conv2d_self_test() {
  static const std::string difference = first({test_conv2d("convolution", 16, 32, 1), test_conv2d("few channels", 3, 16, 1),
                                               test_conv2d("groups", 32, 32, 2), test_conv2d("depthwise", 32, 32, 32)});
  return difference;
}

const std::string& linear_self_test() {
  static const std::string difference = first({test_linear("one row", 1), test_linear("rows", 7)});
  return difference;
}

}  // namespace octet::onednn

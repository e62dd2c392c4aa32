// SPDX-License-Identifier: Apache-2.0
// Quantized convolution through oneDNN. Slices are runs of whole images, or strips of output rows where there are fewer images than
// threads: a strip is a convolution of its own, with the padding that is left at its edges. Where a residual follows, a slice is
// cut further, so that its float sums are still in the cache when the residual is added.
#include <algorithm>
#include <optional>

#include "kernels/onednn/onednn.h"
#include "kernels/onednn/primitive.h"
#include "kernels/onednn/self_test.h"

namespace octet::onednn {
namespace {

using dnnl::memory;
using kernels::Conv2dArgs;

constexpr int64_t kSumBytes = 256 * 1024;

int64_t input_row(const Conv2dArgs& a) { return int64_t{a.in_w} * a.in_c; }
int64_t output_row(const Conv2dArgs& a) { return int64_t{a.out_w} * a.out_c; }

/// Output rows [begin, end) of one image; nothing if they read only padding.
std::optional<Part> strip(const Conv2dArgs& a, int32_t image, int32_t begin, int32_t end) {
  const int32_t from = begin * a.stride_h - a.pad_top;
  const int32_t to = (end - 1) * a.stride_h - a.pad_top + (a.kernel_h - 1) * a.dilation_h + 1;
  const int32_t first = std::max(from, 0), last = std::min(to, a.in_h);
  if (first >= last) return std::nullopt;
  Conv2dArgs rows = a;
  rows.batch = 1, rows.in_h = last - first, rows.out_h = end - begin, rows.pad_top = first - from;
  return Part{rows, (int64_t{image} * a.in_h + first) * input_row(a), (int64_t{image} * a.out_h + begin) * output_row(a)};
}

Part images(const Conv2dArgs& a, int32_t begin, int32_t end) {
  Conv2dArgs some = a;
  some.batch = end - begin;
  return Part{some, begin * a.in_h * input_row(a), begin * a.out_h * output_row(a)};
}

int32_t share(int32_t n, int32_t i, int32_t count) { return static_cast<int32_t>(int64_t{n} * i / count); }

/// Strips [begin, end) of the `count` that every image is cut into, or false.
bool add_strips(const Conv2dArgs& a, int32_t image, int32_t begin, int32_t end, int32_t count, std::vector<Part>& parts) {
  for (int32_t i = begin; i < end; ++i) {
    const auto part = strip(a, image, share(a.out_h, i, count), share(a.out_h, i + 1, count));
    if (!part) return false;
    parts.push_back(*part);
  }
  return true;
}

/// Bytes of real values that an image keeps until its residual is added.
int64_t sum_bytes(const Conv2dArgs& a) {
  return a.residual_scale == 0 ? 0 : a.out_h * output_row(a) * static_cast<int64_t>(sizeof(float));
}

/// Strips per image, a multiple of `slices`; more where that keeps the sums of one small.
int32_t strips_for(const Conv2dArgs& a, int32_t slices) {
  const auto per_slice = static_cast<int32_t>(std::max<int64_t>(1, (sum_bytes(a) / slices + kSumBytes - 1) / kSumBytes));
  return int64_t{per_slice} * slices <= a.out_h ? per_slice * slices : slices;
}

/// One slice a strip of rows of one image, or of several where there are sums; empty: not possible.
std::vector<std::vector<Part>> cut_rows(const Conv2dArgs& a, int32_t per_image) {
  const int32_t strips = strips_for(a, per_image), per_slice = strips / per_image;
  std::vector<std::vector<Part>> slices;
  for (int32_t image = 0; image < a.batch; ++image)
    for (int32_t i = 0; i < strips; i += per_slice)
      if (!add_strips(a, image, i, i + per_slice, strips, slices.emplace_back())) return {};
  return slices;
}

/// One slice a run of images: at once, or in pieces where there are sums.
std::vector<std::vector<Part>> cut_images(const Conv2dArgs& a, int32_t count) {
  const int32_t strips = strips_for(a, 1);
  const auto at_once = static_cast<int32_t>(std::clamp<int64_t>(kSumBytes / std::max<int64_t>(1, sum_bytes(a)), 1, a.batch));
  std::vector<std::vector<Part>> slices;
  for (int32_t i = 0; i < count; ++i) {
    std::vector<Part>& parts = slices.emplace_back();
    for (int32_t image = share(a.batch, i, count), end = share(a.batch, i + 1, count), next; image < end; image = next) {
      next = std::min(image + at_once, end);
      const size_t before = parts.size();
      if (strips > 1 && next == image + 1 && add_strips(a, image, 0, strips, strips, parts)) continue;
      parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(before), parts.end());
      parts.push_back(images(a, image, next));
    }
  }
  return slices;
}

std::vector<std::vector<Part>> cut(const Conv2dArgs& a) {
  const int wanted = slices_for(a);
  const int32_t per_image = wanted > a.batch ? std::min((wanted + a.batch - 1) / a.batch, a.out_h) : 1;
  if (per_image > 1)
    if (auto slices = cut_rows(a, per_image); !slices.empty()) return slices;
  return cut_images(a, std::clamp(wanted, 1, a.batch));
}

/// Padding after the input; never negative, oneDNN rounds the output size down.
int32_t padding_after(int32_t in, int32_t out, int32_t kernel, int32_t stride, int32_t dilation, int32_t before) {
  return std::max(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - in - before);
}

memory::dims weight_dims(const Conv2dArgs& a) {
  if (a.groups == 1) return {a.out_c, a.in_c, a.kernel_h, a.kernel_w};
  return {a.groups, a.out_c / a.groups, a.in_c / a.groups, a.kernel_h, a.kernel_w};
}

Primitive primitive(const Conv2dArgs& a, const Layer& layer, const dnnl::primitive_attr& attributes) {
  using data_type = memory::data_type;
  using tag = memory::format_tag;
  const memory::desc x({a.batch, a.in_c, a.in_h, a.in_w}, layer.input_data(), tag::nhwc);
  const memory::desc y({a.batch, a.out_c, a.out_h, a.out_w}, layer.output_data(), tag::nhwc);
  const memory::dims after{padding_after(a.in_h, a.out_h, a.kernel_h, a.stride_h, a.dilation_h, a.pad_top),
                           padding_after(a.in_w, a.out_w, a.kernel_w, a.stride_w, a.dilation_w, a.pad_left)};
  const dnnl::convolution_forward::primitive_desc description(
      cpu(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, x, {weight_dims(a), data_type::s8, tag::any},
      {{a.out_c}, data_type::f32, tag::a}, y, {a.stride_h, a.stride_w}, {a.dilation_h - 1, a.dilation_w - 1},
      {a.pad_top, a.pad_left}, after, attributes);
  return {description, dnnl::convolution_forward(description)};
}

}  // namespace

Made make_untested(const Conv2dArgs& a, std::shared_ptr<const Blobs> blobs) {
  const Layer layer{.args = a,
                    .output = a.output,
                    .input_type = a.input_type,
                    .output_type = a.output_type,
                    .residual_type = a.residual_type,
                    .input_zero_point = a.input_zero_point,
                    .residual_zero_point = a.residual_zero_point,
                    .residual_scale = a.residual_scale,
                    .rounding = a.rounding,
                    .out_c = a.out_c,
                    .scale_mask = a.groups == 1 ? 1 : 3,
                    .blobs = std::move(blobs)};
  if (std::string why = refusal(layer); !why.empty()) return {nullptr, why};
  if (output_bytes(a) == 0) return {nullptr, "onednn: an empty output"};
  try {
    const OneThread one;
    const dnnl::primitive_attr attributes = layer.attributes();
    const auto make = [&](const KernelArgs& part) { return primitive(std::get<Conv2dArgs>(part), layer, attributes); };
    return finish(layer, cut(a), make,
                  {weight_dims(a), memory::data_type::s8, a.groups == 1 ? memory::format_tag::ohwi : memory::format_tag::gohwi});
  } catch (const dnnl::error& e) {
    return {nullptr, std::string("onednn: no implementation for this convolution (") + e.what() + ")"};
  }
}

Made make(const Conv2dArgs& a, std::shared_ptr<const Blobs> blobs) {
  Made made = make_untested(a, std::move(blobs));
  if (made.kernel != nullptr && !conv2d_self_test().empty()) return {nullptr, conv2d_self_test()};
  return made;
}

}  // namespace octet::onednn

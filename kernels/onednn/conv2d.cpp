// SPDX-License-Identifier: Apache-2.0
// Quantized convolution through oneDNN. Slices are runs of whole images, or strips of output rows where there are fewer images than
// threads: a strip is a convolution of its own, with the padding that is left at its edges.
#include <algorithm>

#include "kernels/onednn/onednn.h"
#include "kernels/onednn/primitive.h"
#include "kernels/onednn/self_test.h"

namespace octet::onednn {
namespace {

using dnnl::memory;
using kernels::Conv2dArgs;

/// A part of the convolution as a convolution, and where it lies.
struct Part {
  Conv2dArgs args;
  int64_t input_offset, output_offset;
};

int64_t input_row(const Conv2dArgs& a) { return int64_t{a.in_w} * a.in_c; }
int64_t output_row(const Conv2dArgs& a) { return int64_t{a.out_w} * a.out_c; }

/// Output rows [begin, end) of one image; false: they read nothing but padding.
bool strip(const Conv2dArgs& a, int32_t image, int32_t begin, int32_t end, Part& part) {
  const int32_t from = begin * a.stride_h - a.pad_top;
  const int32_t to = (end - 1) * a.stride_h - a.pad_top + (a.kernel_h - 1) * a.dilation_h + 1;
  const int32_t first = std::max(from, 0), last = std::min(to, a.in_h);
  if (first >= last) return false;
  part.args = a;
  part.args.batch = 1, part.args.in_h = last - first, part.args.out_h = end - begin, part.args.pad_top = first - from;
  part.input_offset = (int64_t{image} * a.in_h + first) * input_row(a);
  part.output_offset = (int64_t{image} * a.out_h + begin) * output_row(a);
  return true;
}

std::vector<Part> parts(const Conv2dArgs& a) {
  const int wanted = slices_for(a);
  std::vector<Part> result;
  if (wanted > a.batch && wanted > 1) {
    const int32_t per_image = std::min((wanted + a.batch - 1) / a.batch, a.out_h);
    bool all = per_image > 1;
    for (int32_t image = 0; image < a.batch && all; ++image)
      for (int32_t i = 0; i < per_image && all; ++i)
        all = strip(a, image, a.out_h * i / per_image, a.out_h * (i + 1) / per_image, result.emplace_back());
    if (all) return result;
    result.clear();
  }
  const int32_t count = std::clamp(wanted, 1, a.batch);
  for (int32_t i = 0; i < count; ++i) {
    const auto begin = static_cast<int32_t>(int64_t{a.batch} * i / count),
               end = static_cast<int32_t>(int64_t{a.batch} * (i + 1) / count);
    Part part{a, begin * a.in_h * input_row(a), begin * a.out_h * output_row(a)};
    part.args.batch = end - begin;
    result.push_back(part);
  }
  return result;
}

/// Padding after the input; never negative, oneDNN rounds the output size down.
int32_t padding_after(int32_t in, int32_t out, int32_t kernel, int32_t stride, int32_t dilation, int32_t before) {
  return std::max(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - in - before);
}

memory::dims weight_dims(const Conv2dArgs& a) {
  if (a.groups == 1) return {a.out_c, a.in_c, a.kernel_h, a.kernel_w};
  return {a.groups, a.out_c / a.groups, a.in_c / a.groups, a.kernel_h, a.kernel_w};
}

Slice slice(const Part& part, const Layer& layer, const dnnl::primitive_attr& attributes) {
  const Conv2dArgs& a = part.args;
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
  return {description, dnnl::convolution_forward(description), part.input_offset, part.output_offset, output_bytes(a)};
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
    std::vector<Slice> slices;
    for (const Part& part : parts(a)) slices.push_back(slice(part, layer, attributes));
    return finish(layer, std::move(slices),
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

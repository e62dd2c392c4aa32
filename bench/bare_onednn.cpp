// SPDX-License-Identifier: Apache-2.0
// One oneDNN primitive for each kernel's arguments, written against oneDNN alone: nothing of octet's engine is used.
#include <algorithm>
#include <dnnl.hpp>
#include <optional>

#include "bench/bare.h"
#include "kernels/onednn/primitive.h"

namespace octet::bench {
namespace {

using namespace kernels;
using dnnl::memory;
using data_type = memory::data_type;
using tag = memory::format_tag;

const dnnl::engine& cpu() {
  static const dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

data_type type_of(CodeType t) { return t == CodeType::u8 ? data_type::u8 : data_type::s8; }

template <class T>
memory constant(data_type type, memory::dims dims, tag layout, const std::vector<T>& values) {
  memory m({std::move(dims), type, layout}, cpu());
  std::ranges::copy(values, static_cast<T*>(m.get_data_handle()));
  return m;
}
memory one(float value) { return constant(data_type::f32, {1}, tag::a, std::vector<float>{value}); }
memory one(int32_t value) { return constant(data_type::s32, {1}, tag::a, std::vector<int32_t>{value}); }

/// A primitive, the constants it reads, and the descriptions of what it is given when it runs.
struct Part {
  dnnl::primitive_desc_base description;
  dnnl::primitive primitive;
  std::vector<std::pair<int, memory>> constants{};
  std::vector<std::pair<int, memory::desc>> inputs{};
  memory::desc output{};
  std::vector<std::pair<int, memory>> bound{};
  std::vector<dnnl_exec_arg_t> args{};
};

dnnl::primitive_attr attributes() {
  dnnl::primitive_attr a;
  a.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  return a;
}

template <class Description>
Part part(const Description& description) {
  return {description, dnnl::primitive(description.get())};
}

/// What convolution and linear share: scales by output channel, the input's and the output's zero point, the output's scale.
dnnl::primitive_attr weighted_attributes(int scale_mask, int32_t input_zero, const OutputArgs& o) {
  dnnl::primitive_attr a = attributes();
  a.set_scales_mask(DNNL_ARG_WEIGHTS, scale_mask);
  a.set_scales_mask(DNNL_ARG_DST, 0);
  if (input_zero != 0) a.set_zero_points_mask(DNNL_ARG_SRC, 0);
  if (o.zero_point != 0) a.set_zero_points_mask(DNNL_ARG_DST, 0);
  return a;
}

void add_constants(Part& p, const Blobs& b, int32_t channels, int32_t input_zero, const OutputArgs& o, const memory::desc& plain,
                   memory::dims bias_dims) {
  memory weights(plain, cpu(), const_cast<int8_t*>(b.weight.data()));
  memory packed(p.description.query_md(dnnl::query::weights_md), cpu());
  dnnl::stream stream(cpu());
  dnnl::reorder(weights, packed).execute(stream, weights, packed);
  stream.wait();
  p.constants.emplace_back(DNNL_ARG_WEIGHTS, packed);
  std::vector<float> bias = b.bias;
  bias.resize(static_cast<size_t>(channels));
  const tag layout = bias_dims.size() == 1 ? tag::a : tag::ab;
  p.constants.emplace_back(DNNL_ARG_BIAS, constant(data_type::f32, std::move(bias_dims), layout, bias));
  p.constants.emplace_back(DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, constant(data_type::f32, {channels}, tag::a, b.scale));
  p.constants.emplace_back(DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST, one(1 / o.inv_scale));
  if (input_zero != 0) p.constants.emplace_back(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, one(input_zero));
  if (o.zero_point != 0) p.constants.emplace_back(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_DST, one(o.zero_point));
}

int64_t after(int64_t in, int64_t out, int64_t kernel, int64_t stride, int64_t dilation, int64_t before) {
  return std::max<int64_t>(0, (out - 1) * stride + (kernel - 1) * dilation + 1 - in - before);
}

/// A fused residual is oneDNN's sum, in place in the output.
std::optional<Part> make(const Conv2dArgs& a, const Blobs& b) {
  const bool dense = a.groups == 1;
  const memory::desc x({a.batch, a.in_c, a.in_h, a.in_w}, type_of(a.input_type), tag::nhwc),
      y({a.batch, a.out_c, a.out_h, a.out_w}, type_of(a.output_type), tag::nhwc);
  const memory::dims weights = dense ? memory::dims{a.out_c, a.in_c, a.kernel_h, a.kernel_w}
                                     : memory::dims{a.groups, a.out_c / a.groups, a.in_c / a.groups, a.kernel_h, a.kernel_w};
  dnnl::primitive_attr attr = weighted_attributes(dense ? 1 : 3, a.input_zero_point, a.output);
  if (a.residual_scale != 0) {
    dnnl::post_ops ops;
    ops.append_sum(a.residual_scale, a.residual_zero_point, type_of(a.residual_type));
    attr.set_post_ops(ops);
  }
  Part p = part(dnnl::convolution_forward::primitive_desc(
      cpu(), dnnl::prop_kind::forward_inference, dnnl::algorithm::convolution_direct, x, {weights, data_type::s8, tag::any},
      {{a.out_c}, data_type::f32, tag::a}, y, {a.stride_h, a.stride_w}, {a.dilation_h - 1, a.dilation_w - 1},
      {a.pad_top, a.pad_left},
      {after(a.in_h, a.out_h, a.kernel_h, a.stride_h, a.dilation_h, a.pad_top),
       after(a.in_w, a.out_w, a.kernel_w, a.stride_w, a.dilation_w, a.pad_left)},
      attr));
  add_constants(p, b, a.out_c, a.input_zero_point, a.output, {weights, data_type::s8, dense ? tag::ohwi : tag::gohwi}, {a.out_c});
  p.inputs = {{DNNL_ARG_SRC, x}};
  p.output = y;
  return p;
}

std::optional<Part> make(const LinearArgs& a, const Blobs& b) {
  const memory::desc x({a.rows, a.in}, type_of(a.input_type), tag::ab), y({a.rows, a.out}, type_of(a.output_type), tag::ab);
  Part p =
      part(dnnl::matmul::primitive_desc(cpu(), x, {{a.in, a.out}, data_type::s8, tag::any}, {{1, a.out}, data_type::f32, tag::ab},
                                        y, weighted_attributes(2, a.input_zero_point, a.output)));
  add_constants(p, b, a.out, a.input_zero_point, a.output, {{a.in, a.out}, data_type::s8, tag::ba}, {1, a.out});
  p.inputs = {{DNNL_ARG_SRC, x}};
  p.output = y;
  return p;
}

std::optional<Part> make(const Pool2dArgs& a, const Blobs&) {
  Pool2dArgs w = a;
  if (a.kind == PoolKind::adaptive_average) {
    if (a.in_h % a.out_h != 0 || a.in_w % a.out_w != 0) return std::nullopt;
    w.kernel_h = w.stride_h = a.in_h / a.out_h, w.kernel_w = w.stride_w = a.in_w / a.out_w;
    w.pad_top = w.pad_left = 0;
  }
  const auto algorithm = a.kind == PoolKind::max    ? dnnl::algorithm::pooling_max
                         : a.count_include_pad != 0 ? dnnl::algorithm::pooling_avg_include_padding
                                                    : dnnl::algorithm::pooling_avg_exclude_padding;
  const memory::desc x({a.batch, a.channels, a.in_h, a.in_w}, type_of(a.type), tag::nhwc),
      y({a.batch, a.channels, a.out_h, a.out_w}, type_of(a.type), tag::nhwc);
  Part p = part(dnnl::pooling_forward::primitive_desc(
      cpu(), dnnl::prop_kind::forward_inference, algorithm, x, y, {w.stride_h, w.stride_w}, {w.kernel_h, w.kernel_w}, {0, 0},
      {w.pad_top, w.pad_left},
      {after(a.in_h, a.out_h, w.kernel_h, w.stride_h, 1, w.pad_top), after(a.in_w, a.out_w, w.kernel_w, w.stride_w, 1, w.pad_left)},
      attributes()));
  p.inputs = {{DNNL_ARG_SRC, x}};
  p.output = y;
  return p;
}

std::optional<Part> make(const AddArgs& a, const Blobs&) {
  const memory::desc x({1, a.count}, type_of(a.a_type), tag::ab), z({1, a.count}, type_of(a.b_type), tag::ab),
      y({1, a.count}, type_of(a.output_type), tag::ab);
  dnnl::primitive_attr attr = attributes();
  attr.set_scales_mask(DNNL_ARG_SRC_0, 0), attr.set_scales_mask(DNNL_ARG_SRC_1, 0);
  Part p = part(dnnl::binary::primitive_desc(cpu(), dnnl::algorithm::binary_add, x, z, y, attr));
  p.constants.emplace_back(DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC_0, one(a.a_scale * a.output.inv_scale));
  p.constants.emplace_back(DNNL_ARG_ATTR_SCALES | DNNL_ARG_SRC_1, one(a.b_scale * a.output.inv_scale));
  p.inputs = {{DNNL_ARG_SRC_0, x}, {DNNL_ARG_SRC_1, z}};
  p.output = y;
  return p;
}

/// Scales other than 1 are given where they are not 0.
std::optional<Part> reorder(const memory::desc& x, const memory::desc& y, float input_scale, float output_scale) {
  dnnl::primitive_attr attr = attributes();
  if (input_scale != 0) attr.set_scales_mask(DNNL_ARG_SRC, 0);
  if (output_scale != 0) attr.set_scales_mask(DNNL_ARG_DST, 0);
  Part p = part(dnnl::reorder::primitive_desc(cpu(), x, cpu(), y, attr));
  if (input_scale != 0) p.constants.emplace_back(DNNL_ARG_ATTR_SCALES | DNNL_ARG_FROM, one(input_scale));
  if (output_scale != 0) p.constants.emplace_back(DNNL_ARG_ATTR_SCALES | DNNL_ARG_TO, one(output_scale));
  p.inputs = {{DNNL_ARG_FROM, x}};
  p.output = y;
  return p;
}

std::optional<Part> make(const RequantizeArgs& a, const Blobs&) {
  const float scale = a.copy != 0 ? 0 : a.input_scale;
  return reorder({{a.rows, a.row}, type_of(a.input_type), memory::dims{a.row, 1}},
                 {{a.rows, a.row}, type_of(a.output_type), memory::dims{a.output_stride, 1}}, scale,
                 scale == 0 ? 0 : 1 / a.output.inv_scale);
}

std::optional<Part> make(const QuantizeArgs& a, const Blobs&) {
  return reorder({{1, a.count}, data_type::f32, tag::ab}, {{1, a.count}, type_of(a.output_type), tag::ab}, 0,
                 1 / a.output.inv_scale);
}

std::optional<Part> make(const DequantizeArgs& a, const Blobs&) {
  return reorder({{1, a.count}, type_of(a.input_type), tag::ab}, {{1, a.count}, data_type::f32, tag::ab}, a.scale, 0);
}

std::optional<Part> make(const TransposeArgs& a, const Blobs&) {
  if (a.element_size != 1 || a.rank < 2) return std::nullopt;
  memory::dims dims, from, to(static_cast<size_t>(a.rank), 1);
  for (int i = 0; i < a.rank; ++i) dims.push_back(a.output_shape[i]), from.push_back(a.input_stride[i]);
  for (size_t i = dims.size() - 1; i-- > 0;) to[i] = to[i + 1] * dims[i + 1];
  return reorder({dims, data_type::u8, from}, {dims, data_type::u8, to}, 0, 0);
}

/// Anything else: oneDNN alone has nothing to set beside it.
template <class Args>
std::optional<Part> make(const Args&, const Blobs&) {
  return std::nullopt;
}

class Chain final : public Bare {
 public:
  explicit Chain(const std::vector<LoweredCall>& steps) {
    size_t largest = 0, scratch = 0;
    for (const LoweredCall& step : steps) {
      static const Blobs none;
      const Blobs& blobs = step.blobs == nullptr ? none : *step.blobs;
      try {
        parts_.push_back(std::visit([&](const auto& a) { return make(a, blobs); }, step.args));
      } catch (const dnnl::error&) {
        parts_.push_back(std::nullopt);
      }
      if (!parts_.back()) continue;
      Part& p = *parts_.back();
      for (const auto& [arg, desc] : p.inputs) largest = std::max(largest, desc.get_size());
      largest = std::max(largest, p.output.get_size());
      scratch = std::max(scratch, p.description.query_md(dnnl::query::scratchpad_md).get_size());
    }
    // Three buffers take turns, as a planned arena would have them: one being read, one being written, one second input.
    const auto buffer = [](size_t bytes) { return zeros({{static_cast<int64_t>(bytes) + 64}, data_type::u8, tag::a}); };
    for (memory& m : buffers_) m = buffer(largest);
    scratch_ = buffer(scratch);
    size_t next = 0;
    for (std::optional<Part>& p : parts_)
      if (p) bind(*p, next++);
  }

  void run() override {
    for (std::optional<Part>& p : parts_)
      if (p) execute(*p);
    stream_.wait();
  }
  void run(size_t step) override {
    if (!parts_[step]) return;
    execute(*parts_[step]);
    stream_.wait();
  }
  std::string implementation(size_t step) const override {
    return parts_[step] ? parts_[step]->description.impl_info_str() : std::string();
  }

 private:
  static memory zeros(const memory::desc& desc) {
    memory m(desc, cpu());
    std::fill_n(static_cast<uint8_t*>(m.get_data_handle()), desc.get_size(), uint8_t{0});
    return m;
  }
  void bind(Part& p, size_t turn) {
    const auto add = [&](int arg, const memory::desc& desc, const memory& where) {
      p.bound.emplace_back(arg, memory(desc, cpu(), where.get_data_handle()));
    };
    for (size_t i = 0; i < p.inputs.size(); ++i) {
      const auto& [arg, desc] = p.inputs[i];
      if (desc.get_data_type() == data_type::f32)  // codes read as floats could be denormal, which is slow
        p.bound.emplace_back(arg, zeros(desc));
      else
        add(arg, desc, buffers_[(turn + 2 * i) % 3]);
    }
    add(DNNL_ARG_DST, p.output, buffers_[(turn + 1) % 3]);
    add(DNNL_ARG_SCRATCHPAD, p.description.query_md(dnnl::query::scratchpad_md), scratch_);
    for (const auto& [arg, m] : p.constants) p.bound.emplace_back(arg, m);
    for (const auto& [arg, m] : p.bound) p.args.push_back({arg, m.get()});
  }
  void execute(const Part& p) {
    dnnl_primitive_execute(p.primitive.get(), stream_.get(), static_cast<int>(p.args.size()), p.args.data());
  }

  onednn::OneThread one_;
  dnnl::stream stream_{cpu()};
  std::vector<std::optional<Part>> parts_;
  memory buffers_[3], scratch_;
};

}  // namespace

std::unique_ptr<Bare> make_bare(const std::vector<LoweredCall>& steps) { return std::make_unique<Chain>(steps); }

}  // namespace octet::bench

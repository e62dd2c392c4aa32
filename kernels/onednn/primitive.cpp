// SPDX-License-Identifier: Apache-2.0
// Attributes that give section 4's arithmetic (docs/architecture.md), packed constants, and the run of the slices.
#include "kernels/onednn/primitive.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <mutex>
#include <string_view>

#include "kernels/onednn/onednn.h"
#include "kernels/parallel.h"
#include "kernels/qmath.h"

namespace octet::onednn {
namespace {

using dnnl::memory;
using kernels::CodeType;

constexpr int64_t kProductsPerSlice = 500'000;  // 5 to 10 µs: what waking a thread costs
constexpr int64_t kProductsPerOutput = 16;      // what rescaling an output costs; most of a depthwise layer

/// A scale whose binary32 reciprocal is `inverse`: oneDNN takes the scale and inverts it.
float scale_of(float inverse) {
  float below = 1 / inverse, above = below;
  for (int i = 0; i < 4; ++i) {
    if (1 / below == inverse) return below;
    if (1 / above == inverse) return above;
    below = std::nextafter(below, 0.0f), above = std::nextafter(above, INFINITY);
  }
  return 0;
}

/// Memory that holds one value or a table for good.
template <class T>
memory constant(memory::data_type type, memory::dims dims, memory::format_tag tag, const std::vector<T>& values) {
  memory m({std::move(dims), type, tag}, cpu());
  std::ranges::copy(values, static_cast<T*>(m.get_data_handle()));
  return m;
}

/// Memory objects of one run at a time; a primitive itself may run in several threads at once.
struct Context {
  dnnl::stream stream{cpu()};
  memory input, output, scratch;
  std::vector<float> sums;  // real values where a residual follows
  std::vector<dnnl_exec_arg_t> args;
};

class WeightedKernel final : public Kernel {
 public:
  WeightedKernel(Layer layer, std::vector<Slice> slices, const memory::desc& plain)
      : layer_(std::move(layer)), slices_(std::move(slices)), free_(slices_.size()) {
    implementation_ = std::string("onednn ") + slices_[0].description.impl_info_str();
    const Blobs& b = *layer_.blobs;
    const memory weights(plain, cpu(), const_cast<int8_t*>(b.weight.data()));
    for (const Slice& s : slices_) packed_.push_back(pack(weights, s.description.query_md(dnnl::query::weights_md)));
    const auto n = static_cast<memory::dim>(layer_.out_c);
    const auto add = [&](int arg, memory m) { constants_.emplace_back(arg, std::move(m)); };
    using tag = memory::format_tag;
    using data_type = memory::data_type;
    const std::vector<float> bias = b.bias.empty() ? std::vector<float>(static_cast<size_t>(n)) : b.bias;
    if (std::holds_alternative<kernels::LinearArgs>(layer_.args))
      add(DNNL_ARG_BIAS, constant(data_type::f32, {1, n}, tag::ab, bias));
    else
      add(DNNL_ARG_BIAS, constant(data_type::f32, {n}, tag::a, bias));
    add(DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, constant(data_type::f32, {n}, tag::a, b.scale));
    if (layer_.input_zero_point != 0)
      add(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC,
          constant(data_type::s32, {1}, tag::a, std::vector<int32_t>{layer_.input_zero_point}));
    if (!layer_.residual()) {
      add(DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST,
          constant(data_type::f32, {1}, tag::a, std::vector{scale_of(layer_.output.inv_scale)}));
      if (const int32_t zero = layer_.output.zero_point - lo(); zero != 0)
        add(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_DST, constant(data_type::s32, {1}, tag::a, std::vector<int32_t>{zero}));
    }
    for (size_t i = 0; i < slices_.size(); ++i) give_back(i, context(i));
  }

  using Kernel::run;

  void run(std::span<const void* const> inputs, void* output, State*, std::byte*) const override {
    std::atomic<bool> failed{false};
    parallel(static_cast<int64_t>(slices_.size()), 1, [&](int, int64_t begin, int64_t end) {
      const OneThread one;
      for (int64_t i = begin; i < end; ++i)
        if (!run_slice(static_cast<size_t>(i), inputs, static_cast<uint8_t*>(output))) failed = true;
    });
    // Out of memory, at most: the reference needs none.
    if (failed) octet::make(layer_.args, layer_.blobs, QEngine::reference).kernel->run(inputs, output);
  }

  std::string_view implementation() const override { return implementation_; }
  QEngine engine() const override { return QEngine::onednn; }

 private:
  int32_t lo() const { return qmath::lowest(layer_.output_type); }

  /// Weights in the primitive's own layout; slices mostly agree on it and then share it.
  memory pack(const memory& weights, const memory::desc& wanted) const {
    for (const memory& m : packed_)
      if (m.get_desc() == wanted) return m;
    memory m(wanted, cpu());
    dnnl::stream stream(cpu());
    dnnl::reorder(weights, m).execute(stream, const_cast<memory&>(weights), m);
    stream.wait();
    return m;
  }

  std::unique_ptr<Context> context(size_t i) const {
    const Slice& s = slices_[i];
    auto c = std::make_unique<Context>();
    c->input = memory(s.description.query_md(dnnl::query::src_md), cpu(), nullptr);
    c->output = memory(s.description.query_md(dnnl::query::dst_md), cpu(), nullptr);
    c->scratch = memory(s.description.query_md(dnnl::query::scratchpad_md), cpu());
    if (layer_.residual()) c->sums.resize(static_cast<size_t>(s.outputs));
    c->args = {{DNNL_ARG_SRC, c->input.get()},
               {DNNL_ARG_DST, c->output.get()},
               {DNNL_ARG_WEIGHTS, packed_[i].get()},
               {DNNL_ARG_SCRATCHPAD, c->scratch.get()}};
    for (const auto& [arg, m] : constants_) c->args.push_back({arg, m.get()});
    return c;
  }

  std::unique_ptr<Context> take(size_t i) const {
    {
      const std::lock_guard lock(free_mutex_);
      if (!free_[i].empty()) {
        auto c = std::move(free_[i].back());
        free_[i].pop_back();
        return c;
      }
    }
    return context(i);  // several threads run this kernel at once
  }

  void give_back(size_t i, std::unique_ptr<Context> c) const {
    const std::lock_guard lock(free_mutex_);
    free_[i].push_back(std::move(c));
  }

  bool run_slice(size_t i, std::span<const void* const> inputs, uint8_t* output) const {
    try {
      const Slice& s = slices_[i];
      auto c = take(i);
      uint8_t* to = output + s.output_offset;
      c->input.set_data_handle(const_cast<uint8_t*>(static_cast<const uint8_t*>(inputs[0])) + s.input_offset);
      c->output.set_data_handle(layer_.residual() ? static_cast<void*>(c->sums.data()) : to);
      const bool good = dnnl_primitive_execute(s.primitive.get(), c->stream.get(), static_cast<int>(c->args.size()),
                                               c->args.data()) == dnnl_success &&
                        dnnl_stream_wait(c->stream.get()) == dnnl_success;
      if (layer_.residual())
        add_residual(c->sums.data(), static_cast<const uint8_t*>(inputs[1]) + s.output_offset, s.outputs, to);
      else
        limit(to, s.outputs);
      give_back(i, std::move(c));
      return good;
    } catch (const std::exception&) {
      return false;  // may not leave a parallel()
    }
  }

  /// The activation's limits, and from the unsigned domain back to the output's.
  void limit(uint8_t* codes, int64_t n) const {
    const auto low = static_cast<uint8_t>(layer_.output.clamp_min - lo()),
               high = static_cast<uint8_t>(layer_.output.clamp_max - lo());
    if (low != 0 || high != 255)
      for (int64_t i = 0; i < n; ++i) codes[i] = std::min(std::max(codes[i], low), high);
    if (lo() != 0)
      for (int64_t i = 0; i < n; ++i) codes[i] ^= 0x80;
  }

  void add_residual(const float* __restrict sums, const uint8_t* __restrict residual, int64_t n, uint8_t* __restrict to) const {
    const int32_t low = lo(), zero = layer_.residual_zero_point;
    // One subtraction for both types: an i8 code is its bits with the top one flipped, minus 128.
    const int32_t flip = layer_.residual_type == CodeType::i8 ? 0x80 : 0, base = layer_.residual_type == CodeType::i8 ? 128 : 0;
    const float scale = layer_.residual_scale;
    const kernels::OutputArgs o = layer_.output;
    for (int64_t i = 0; i < n; ++i)
      to[i] =
          static_cast<uint8_t>(qmath::code_of_real(sums[i] + qmath::dequantize((residual[i] ^ flip) - base - zero, scale), o, low));
  }

  Layer layer_;
  std::vector<Slice> slices_;
  std::string implementation_;
  std::vector<memory> packed_;  // by slice
  std::vector<std::pair<int, memory>> constants_;
  mutable std::mutex free_mutex_;
  mutable std::vector<std::vector<std::unique_ptr<Context>>> free_;  // by slice
};

}  // namespace

memory::data_type Layer::input_data() const { return input_type == CodeType::u8 ? memory::data_type::u8 : memory::data_type::s8; }
memory::data_type Layer::output_data() const { return residual() ? memory::data_type::f32 : memory::data_type::u8; }

dnnl::primitive_attr Layer::attributes() const {
  dnnl::primitive_attr attributes;
  attributes.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  attributes.set_scales_mask(DNNL_ARG_WEIGHTS, scale_mask);
  if (input_zero_point != 0) attributes.set_zero_points_mask(DNNL_ARG_SRC, 0);
  if (residual()) return attributes;
  attributes.set_scales_mask(DNNL_ARG_DST, 0);
  if (output.zero_point != qmath::lowest(output_type)) attributes.set_zero_points_mask(DNNL_ARG_DST, 0);
  return attributes;
}

std::string refusal(const Layer& layer) {
  if (const char* why = inexact_cpu()) return why;
  if (layer.rounding != Rounding::real) return "onednn: computes only rounding real, not " + std::string(to_string(layer.rounding));
  if (layer.blobs == nullptr || layer.blobs->scale.empty()) return "onednn: needs a scale for every output channel";
  if (std::ranges::any_of(layer.blobs->weight_zero_point, [](int32_t z) { return z != 0; }))
    return "onednn: weights with zero points";
  if (!layer.residual() && scale_of(layer.output.inv_scale) == 0) return "onednn: no output scale has the reciprocal asked for";
  return {};
}

Made finish(Layer layer, std::vector<Slice> slices, const memory::desc& plain) {
  const bool wide = std::string_view(info().isa).starts_with("avx512");
  for (const Slice& s : slices) {
    const std::string_view name = s.description.impl_info_str();
    // Narrower kernels of an AVX-512 machine may have no VNNI to use, and oneDNN's own reference loops are slower than octet's.
    const auto has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
    if (has("ref") || has("simple") || (wide && !has("avx512")))
      return {nullptr, "onednn: would run " + std::string(name) + ", which is slow or not exact on every CPU"};
  }
  return {std::make_unique<WeightedKernel>(std::move(layer), std::move(slices), plain), {}};
}

int slices_for(const KernelArgs& args) {
  const int64_t work = macs(args) + kProductsPerOutput * output_bytes(args);
  return static_cast<int>(std::clamp<int64_t>(work / kProductsPerSlice, 1, threads()));
}

}  // namespace octet::onednn

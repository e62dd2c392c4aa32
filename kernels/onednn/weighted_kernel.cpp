// SPDX-License-Identifier: Apache-2.0
// The kernel over a layer's parts. oneDNN's memory objects hold the pointers of a run, so they live in the caller's State, each set
// up once and touched again only when a buffer moves; scratchpads and sums lie in the caller's scratch memory, a piece a slice.
#include <algorithm>
#include <cassert>
#include <cstring>
#include <string_view>

#include "kernels/onednn/epilogue.h"
#include "kernels/onednn/onednn.h"
#include "kernels/onednn/primitive.h"
#include "kernels/parallel.h"
#include "kernels/ref/ref.h"

namespace octet::onednn {
namespace {

using dnnl::memory;
using kernels::CodeType;

constexpr int64_t kProductsPerSlice = 500'000;  // 5 to 10 µs: what waking a thread costs
constexpr int64_t kProductsPerOutput = 16;      // what rescaling an output costs; most of a depthwise layer

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }

/// Weights in a primitive's own layout.
class PackedWeights final : public PackedForm {
 public:
  PackedWeights(memory m, const memory::desc& plain) : memory_(std::move(m)), plain_(plain) {
    try {
      back_ = dnnl::reorder(dnnl::reorder::primitive_desc(cpu(), memory_.get_desc(), cpu(), plain_));
    } catch (const dnnl::error&) {
      back_ = {};  // not every layout has a way back
    }
  }
  const memory& get() const { return memory_; }
  int64_t bytes() const override { return static_cast<int64_t>(memory_.get_desc().get_size()); }
  bool unpacks() const override { return static_cast<bool>(back_); }
  std::vector<int8_t> unpacked() const override {
    std::vector<int8_t> codes(plain_.get_size());
    memory from = memory_, to(plain_, cpu(), codes.data());
    dnnl::stream stream(cpu());
    dnnl::reorder(back_).execute(stream, from, to);
    stream.wait();
    return codes;
  }

 private:
  memory memory_;
  memory::desc plain_;
  dnnl::reorder back_;
};

/// Memory that holds one value or a table for good.
template <class T>
memory constant(memory::data_type type, memory::dims dims, memory::format_tag tag, const std::vector<T>& values) {
  memory m({std::move(dims), type, tag}, cpu());
  std::ranges::copy(values, static_cast<T*>(m.get_data_handle()));
  return m;
}

/// A part with what all its runs share.
struct Step {
  Part part;
  size_t primitive;  ///< its index
  int64_t outputs;
};

struct Slice {
  std::vector<Step> steps;
  int64_t scratch, sums;  ///< offsets into the scratch memory
};

/// One step's arguments for oneDNN, and where they point.
struct Call {
  memory input, output, scratchpad;
  std::vector<dnnl_exec_arg_t> args;
  const void* from = nullptr;
  void *to = nullptr, *pad = nullptr;

  static bool move(const memory& m, void* to) { return dnnl_memory_set_data_handle(m.get(), to) == dnnl_success; }

  bool point(const void* input_at, void* output_at, void* pad_at) {
    if (from == input_at && to == output_at && pad == pad_at) return true;
    if (!move(input, const_cast<void*>(input_at)) || !move(output, output_at) || (scratchpad && !move(scratchpad, pad_at)))
      return false;
    from = input_at, to = output_at, pad = pad_at;
    return true;
  }
};

struct RunState final : Kernel::State {
  struct OfSlice {
    dnnl::stream stream;
    std::vector<Call> calls;
  };
  std::vector<OfSlice> slices;
};

class WeightedKernel final : public Kernel {
 public:
  WeightedKernel(Layer layer, const std::vector<std::vector<Part>>& slices, const std::vector<size_t>& which,
                 std::vector<Primitive> primitives, const memory::desc& plain)
      : layer_(std::move(layer)), primitives_(std::move(primitives)), epilogue_(*epilogues()[0]), limits_(real_limits(layer_)) {
    implementation_ = std::string("onednn ") + primitives_[0].description.impl_info_str();
    for (const Primitive& p : primitives_) packed_.push_back(pack(plain, p.description.query_md(dnnl::query::weights_md)));
    set_constants();
    size_t next = 0;
    for (const std::vector<Part>& parts : slices) {
      Slice slice{{}, scratch_bytes_, 0};
      int64_t pad = 0, sums = 0;
      for (const Part& part : parts) {
        const Step& step = slice.steps.emplace_back(Step{part, which[next++], output_bytes(part.args)});
        pad = std::max(pad, static_cast<int64_t>(scratchpad(step.primitive).get_size()));
        if (layer_.residual()) sums = std::max(sums, step.outputs * static_cast<int64_t>(sizeof(float)));
      }
      slice.sums = slice.scratch + aligned(pad);
      scratch_bytes_ = slice.sums + aligned(sums);
      slices_.push_back(std::move(slice));
    }
  }

  using Kernel::run;

  std::unique_ptr<State> make_state() const override {
    auto state = std::make_unique<RunState>();
    for (const Slice& slice : slices_) {
      RunState::OfSlice& of = state->slices.emplace_back();
      of.stream = dnnl::stream(cpu());
      for (const Step& step : slice.steps) of.calls.push_back(call(step));
    }
    return state;
  }

  int64_t scratch_bytes() const override { return scratch_bytes_; }
  bool may_overwrite(size_t input) const override { return layer_.residual() && input == 1; }

  void run(std::span<const void* const> inputs, std::span<void* const> outputs, State* state, std::byte* scratch) const override {
    assert(state != nullptr && inputs.size() >= (layer_.residual() ? 2u : 1u));
    auto& of = static_cast<RunState&>(*state).slices;
    if (slices_.size() == 1) {
      const OneThread one;
      return run_slice(slices_[0], of[0], inputs, static_cast<uint8_t*>(outputs[0]), scratch);
    }
    parallel(static_cast<int64_t>(slices_.size()), 1, [&](int, int64_t begin, int64_t end) {
      const OneThread one;
      for (int64_t i = begin; i < end; ++i) {
        const auto at = static_cast<size_t>(i);
        run_slice(slices_[at], of[at], inputs, static_cast<uint8_t*>(outputs[0]), scratch);
      }
    });
  }

  std::string_view implementation() const override { return implementation_; }
  std::optional<QEngine> engine() const override { return QEngine::onednn; }

 private:
  memory::desc scratchpad(size_t primitive) const {
    return primitives_[primitive].description.query_md(dnnl::query::scratchpad_md);
  }

  std::shared_ptr<const PackedWeights> pack(const memory::desc& plain, const memory::desc& wanted) const {
    return layer_.blobs->weight.find_or_pack<PackedWeights>(
        [&](const PackedWeights& form) { return form.get().get_desc() == wanted; },
        [&](const int8_t* codes) {
          memory weights(plain, cpu(), const_cast<int8_t*>(codes)), m(wanted, cpu());
          dnnl::stream stream(cpu());
          dnnl::reorder(weights, m).execute(stream, weights, m);
          stream.wait();
          return PackedWeights(std::move(m), plain);
        });
  }

  void set_constants() {
    using tag = memory::format_tag;
    using data_type = memory::data_type;
    const Blobs& b = *layer_.blobs;
    const auto n = static_cast<memory::dim>(layer_.out_c);
    const auto add = [&](int arg, memory m) { constants_.emplace_back(arg, std::move(m)); };
    const auto view = [&](memory::desc desc, const std::vector<float>& v) {
      return memory(desc, cpu(), const_cast<float*>(v.data()));
    };
    if (b.bias.empty()) no_bias_.resize(static_cast<size_t>(n));
    const bool linear = std::holds_alternative<kernels::LinearArgs>(layer_.args);
    const memory::desc bias = linear ? memory::desc({1, n}, data_type::f32, tag::ab) : memory::desc({n}, data_type::f32, tag::a);
    add(DNNL_ARG_BIAS, view(bias, b.bias.empty() ? no_bias_ : b.bias));
    add(DNNL_ARG_ATTR_SCALES | DNNL_ARG_WEIGHTS, view({{n}, data_type::f32, tag::a}, b.scale));
    if (layer_.input_zero_point != 0)
      add(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_SRC, constant(data_type::s32, {1}, tag::a, std::vector{layer_.input_zero_point}));
    if (layer_.residual()) return;
    add(DNNL_ARG_ATTR_SCALES | DNNL_ARG_DST, constant(data_type::f32, {1}, tag::a, std::vector{scale_of(layer_.output.inv_scale)}));
    if (const int32_t zero = layer_.output.zero_point - layer_.low(); zero != 0)
      add(DNNL_ARG_ATTR_ZERO_POINTS | DNNL_ARG_DST, constant(data_type::s32, {1}, tag::a, std::vector{zero}));
  }

  Call call(const Step& step) const {
    const dnnl::primitive_desc_base& description = primitives_[step.primitive].description;
    Call c;
    c.input = memory(description.query_md(dnnl::query::src_md), cpu(), nullptr);
    c.output = memory(description.query_md(dnnl::query::dst_md), cpu(), nullptr);
    c.args = {
        {DNNL_ARG_SRC, c.input.get()}, {DNNL_ARG_DST, c.output.get()}, {DNNL_ARG_WEIGHTS, packed_[step.primitive]->get().get()}};
    for (const auto& [arg, m] : constants_) c.args.push_back({arg, m.get()});
    if (scratchpad(step.primitive).get_size() > 0) {
      c.scratchpad = memory(scratchpad(step.primitive), cpu(), nullptr);
      c.args.push_back({DNNL_ARG_SCRATCHPAD, c.scratchpad.get()});
    }
    return c;
  }

  void run_slice(const Slice& slice, RunState::OfSlice& of, std::span<const void* const> inputs, uint8_t* output,
                 std::byte* scratch) const {
    for (size_t i = 0; i < slice.steps.size(); ++i) {
      const Step& step = slice.steps[i];
      const auto* from = static_cast<const uint8_t*>(inputs[0]) + step.part.input_offset;
      uint8_t* to = output + step.part.output_offset;
      const auto* residual = layer_.residual() ? static_cast<const uint8_t*>(inputs[1]) + step.part.output_offset : nullptr;
      auto* sums = reinterpret_cast<float*>(scratch + slice.sums);
      void* target = residual != nullptr ? static_cast<void*>(sums) : to;
      if (!execute(step, of, of.calls[i], from, target, scratch + slice.scratch))
        reference(step, from, residual, to);
      else
        finish(step, sums, residual, to);
    }
  }

  bool execute(const Step& step, RunState::OfSlice& of, Call& c, const void* from, void* to, void* pad) const {
    try {
      return c.point(from, to, pad) &&
             dnnl_primitive_execute(primitives_[step.primitive].primitive.get(), of.stream.get(), static_cast<int>(c.args.size()),
                                    c.args.data()) == dnnl_success &&
             dnnl_stream_wait(of.stream.get()) == dnnl_success;
    } catch (const std::exception&) {
      return false;  // may not leave a parallel()
    }
  }

  void finish(const Step& step, const float* sums, const uint8_t* residual, uint8_t* to) const {
    const int32_t low = layer_.low();
    if (residual != nullptr) {
      const bool i8 = layer_.residual_type == CodeType::i8;
      const Residual r{layer_.residual_scale, layer_.residual_zero_point + (i8 ? 128 : 0), static_cast<uint8_t>(i8 ? 0x80 : 0)};
      return epilogue_.add_residual(step.outputs, sums, residual, r, layer_.output, low, to);
    }
    const bool limit = limits_.needed && !limits_.exact;
    if (!limit && low == 0) return;
    const auto lo = static_cast<uint8_t>(limit ? layer_.output.clamp_min - low : 0),
               hi = static_cast<uint8_t>(limit ? layer_.output.clamp_max - low : 255);
    epilogue_.limit(step.outputs, lo, hi, low != 0 ? 0x80 : 0, to);
  }

  /// oneDNN ran out of memory, at most: the reference kernel needs none.
  void reference(const Step& step, const uint8_t* from, const uint8_t* residual, uint8_t* to) const {
    const Blobs& b = *layer_.blobs;
    const std::shared_ptr<const int8_t> weight = b.weight.plain();
    const float* bias = b.bias.empty() ? no_bias_.data() : b.bias.data();
    const kernels::Buffers data{from, weight.get(), residual, to, {b.scale.data(), bias, nullptr, nullptr, nullptr, nullptr}};
    if (const auto* conv = std::get_if<kernels::Conv2dArgs>(&step.part.args))
      kernels::conv2d<Rounding::real>(*conv, data, 0, kernels::units(*conv));
    else if (const auto* linear = std::get_if<kernels::LinearArgs>(&step.part.args))
      kernels::linear<Rounding::real>(*linear, data, 0, kernels::units(*linear));
  }

  Layer layer_;
  std::vector<Primitive> primitives_;
  const Epilogue& epilogue_;
  RealLimits limits_;
  std::string implementation_;
  std::vector<std::shared_ptr<const PackedWeights>> packed_;  // by primitive
  std::vector<float> no_bias_;                                // zeros where the layer has none
  std::vector<std::pair<int, memory>> constants_;
  std::vector<Slice> slices_;
  int64_t scratch_bytes_ = 0;
};

/// Kernel arguments are plain bytes without padding.
bool same(const KernelArgs& a, const KernelArgs& b) {
  return std::visit(
      [&](const auto& x) {
        const auto* y = std::get_if<std::decay_t<decltype(x)>>(&b);
        return y != nullptr && std::memcmp(&x, y, sizeof x) == 0;
      },
      a);
}

/// Why this implementation is not wanted, or an empty string.
std::string distrust(std::string_view name) {
  const bool wide = std::string_view(info().isa).starts_with("avx512");
  const auto has = [&](std::string_view part) { return name.find(part) != std::string_view::npos; };
  const std::string would = "onednn: would run " + std::string(name);
  if (has("ref") || has("simple")) return would + ": plain loops, slower than octet's own";
  if (wide && !has("avx512")) return would + ": narrower than this CPU's AVX-512, and without VNNI it would not be exact";
  return {};
}

}  // namespace

Made finish(Layer layer, std::vector<std::vector<Part>> slices, const std::function<Primitive(const KernelArgs&)>& primitive,
            const memory::desc& plain) {
  std::vector<Primitive> primitives;
  std::vector<const KernelArgs*> made_for;
  std::vector<size_t> which;  // by part
  for (const std::vector<Part>& parts : slices)
    for (const Part& part : parts) {
      const auto found = std::ranges::find_if(made_for, [&](const KernelArgs* args) { return same(*args, part.args); });
      which.push_back(static_cast<size_t>(found - made_for.begin()));
      if (found != made_for.end()) continue;
      made_for.push_back(&part.args);
      primitives.push_back(primitive(part.args));
      if (std::string why = distrust(primitives.back().description.impl_info_str()); !why.empty()) return {nullptr, std::move(why)};
    }
  return {std::make_unique<WeightedKernel>(std::move(layer), slices, which, std::move(primitives), plain), {}};
}

int slices_for(const KernelArgs& args) {
  const int64_t work = macs(args) + kProductsPerOutput * output_bytes(args);
  return static_cast<int>(std::clamp<int64_t>(work / kProductsPerSlice, 1, threads()));
}

}  // namespace octet::onednn

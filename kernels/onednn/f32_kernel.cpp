// SPDX-License-Identifier: Apache-2.0
// A float convolution on fixed weights: primitives, rearranged weights and memory objects are made before the first run. Its cut
// and its primitives are those of conv2d() in f32_conv2d.cpp, so it gives the same bits.
#include <cassert>
#include <optional>
#include <utility>
#include <vector>

#include "kernels/float_kernel.h"
#include "kernels/float_provider.h"
#include "kernels/onednn/f32_runs.h"

namespace octet::onednn {
namespace {

using dnnl::memory;

int64_t aligned(int64_t bytes) { return (bytes + 63) / 64 * 64; }
int64_t bytes_of(const memory::desc& d) { return static_cast<int64_t>(d.get_size()); }

void rearrange(const memory& from, const memory& to) {
  const OneThread one;
  dnnl::stream stream(cpu());
  dnnl::reorder(from, to).execute(stream, const_cast<memory&>(from), const_cast<memory&>(to));
  stream.wait();
}

/// Weights in a primitive's own layout.
class PackedFloats final : public PackedFormOf<float> {
 public:
  PackedFloats(const memory::desc& plain, const memory::desc& own, const float* weights) : plain_(plain), memory_(own, cpu()) {
    rearrange(memory(plain, cpu(), const_cast<float*>(weights)), memory_);
  }
  const memory& get() const { return memory_; }
  int64_t bytes() const override { return bytes_of(memory_.get_desc()); }
  bool unpacks() const override { return true; }
  std::vector<float> unpacked() const override {
    std::vector<float> weights(plain_.get_size() / sizeof(float));
    rearrange(memory_, memory(plain_, cpu(), weights.data()));
    return weights;
  }

 private:
  memory::desc plain_;
  memory memory_;
};

/// A copy from one layout to another, on pointers that are set before each run.
struct Reorder {
  dnnl::reorder primitive;
  std::vector<dnnl_exec_arg_t> args;

  Reorder(const memory& from, const memory& to) : primitive(from, to), args{{DNNL_ARG_FROM, from.get()}, {DNNL_ARG_TO, to.get()}} {}
};

bool execute(const dnnl::primitive& p, const dnnl::stream& stream, const std::vector<dnnl_exec_arg_t>& args) {
  return dnnl_primitive_execute(p.get(), stream.get(), static_cast<int>(args.size()), args.data()) == dnnl_success &&
         dnnl_stream_wait(stream.get()) == dnnl_success;
}

/// One run of images: what it computes on and in which order.
struct FloatPart {
  const Convolution* convolution = nullptr;
  int64_t begin = 0, images = 0;
  int64_t scratch = 0, input = 0, output = 0;  ///< bytes into the scratch memory; the last two where a layout is not octet's
};

struct RunState final : Kernel::State {
  struct Call {
    dnnl::stream stream;
    memory plain_x, plain_y, x, y, scratchpad;  ///< the primitive's x and y are the plain ones where layouts agree
    std::optional<Reorder> in, out;
    std::vector<dnnl_exec_arg_t> args;
  };
  std::vector<Call> calls;  // by part
};

class Conv2d final : public Kernel {
 public:
  Conv2d(const FloatConv2dArgs& args, std::shared_ptr<const Blobs> blobs, const FloatPasses& passes, Runs runs)
      : args_(args),
        blobs_(std::move(blobs)),
        passes_(passes),
        runs_(std::move(runs)),
        implementation_("onednn " + runs_.any().name) {
    const memory::desc &plain = runs_.any().plain.w, &own = runs_.any().own.w;
    if (plain == own)
      plain_ = blobs_->floats.plain(), weights_ = memory(plain, cpu(), const_cast<float*>(plain_.get()));
    else
      packed_ = blobs_->floats.find_or_pack<PackedFloats>([&](const PackedFloats& form) { return form.get().get_desc() == own; },
                                                          [&](const float* w) { return PackedFloats(plain, own, w); }),
      weights_ = packed_->get();
    if (!blobs_->bias.empty())
      bias_ = memory({{args_.geometry.out_c}, memory::data_type::f32, memory::format_tag::a}, cpu(),
                     const_cast<float*>(blobs_->bias.data()));
    for (int i = 0; i < runs_.count(); ++i) {
      FloatPart& p = parts_.emplace_back();
      p.begin = args_.geometry.batch * i / runs_.count();
      p.images = args_.geometry.batch * (i + 1) / runs_.count() - p.begin;
      p.convolution = &runs_.of(p.images);
      const auto take = [&](const memory::desc& d) { return std::exchange(scratch_bytes_, scratch_bytes_ + aligned(bytes_of(d))); };
      p.scratch = take(p.convolution->scratch);
      if (p.convolution->plain.x != p.convolution->own.x) p.input = take(p.convolution->own.x);
      if (p.convolution->plain.y != p.convolution->own.y) p.output = take(p.convolution->own.y);
    }
  }

  using Kernel::run;

  std::unique_ptr<State> make_state() const override {
    auto state = std::make_unique<RunState>();
    for (const FloatPart& part : parts_) {
      const Convolution& c = *part.convolution;
      RunState::Call& call = state->calls.emplace_back();
      call.stream = dnnl::stream(cpu());
      call.plain_x = call.x = memory(c.plain.x, cpu(), nullptr);
      call.plain_y = call.y = memory(c.plain.y, cpu(), nullptr);
      const OneThread one;
      if (c.plain.x != c.own.x) call.x = memory(c.own.x, cpu(), nullptr), call.in.emplace(call.plain_x, call.x);
      if (c.plain.y != c.own.y) call.y = memory(c.own.y, cpu(), nullptr), call.out.emplace(call.y, call.plain_y);
      call.scratchpad = memory(c.scratch, cpu(), nullptr);
      call.args = {{DNNL_ARG_SRC, call.x.get()},
                   {DNNL_ARG_WEIGHTS, weights_.get()},
                   {DNNL_ARG_DST, call.y.get()},
                   {DNNL_ARG_SCRATCHPAD, call.scratchpad.get()}};
      if (bias_) call.args.push_back({DNNL_ARG_BIAS, bias_.get()});
    }
    return state;
  }
  int64_t scratch_bytes() const override { return scratch_bytes_; }

  void run(std::span<const void* const> inputs, std::span<void* const> outputs, State* state, std::byte* scratch) const override {
    assert(state != nullptr);
    const auto* x = static_cast<const float*>(inputs[0]);
    const auto* residual = args_.residual ? static_cast<const float*>(inputs[1]) : nullptr;
    auto* y = static_cast<float*>(outputs[0]);
    const auto run_parts = [&](int, int64_t begin, int64_t end) {
      const OneThread one;
      for (int64_t i = begin; i < end; ++i) {
        const FloatPart& part = parts_[static_cast<size_t>(i)];
        const int64_t first = part.begin * output_image(args_.geometry);
        run_part(part, static_cast<RunState&>(*state).calls[static_cast<size_t>(i)], x + part.begin * input_image(args_.geometry),
                 residual == nullptr ? nullptr : residual + first, y + first, scratch);
      }
    };
    if (parts_.size() == 1) return run_parts(0, 0, 1);
    parallel(static_cast<int64_t>(parts_.size()), 1, run_parts);
  }
  std::string_view implementation() const override { return implementation_; }
  std::optional<QEngine> engine() const override { return std::nullopt; }

 private:
  void run_part(const FloatPart& part, RunState::Call& call, const float* x, const float* residual, float* y,
                std::byte* scratch) const {
    const auto point = [](const memory& m, const void* to) {
      return dnnl_memory_set_data_handle(m.get(), const_cast<void*>(to)) == dnnl_success;
    };
    bool good = point(call.plain_x, x) && point(call.plain_y, y) && point(call.scratchpad, scratch + part.scratch);
    if (call.in) good = good && point(call.x, scratch + part.input) && execute(call.in->primitive, call.stream, call.in->args);
    if (call.out) good = good && point(call.y, scratch + part.output);
    good = good && execute(part.convolution->primitive, call.stream, call.args);
    if (call.out) good = good && execute(call.out->primitive, call.stream, call.out->args);
    if (!good) {  // out of memory, at most
      FloatConv2dArgs own = args_;
      own.geometry.batch = part.images;
      return passes_.conv2d(own, *blobs_, x, residual, y);
    }
    constexpr float kInfinity = __builtin_inff();
    const int64_t n = part.images * output_image(args_.geometry);
    if (residual != nullptr)
      passes_.add_clamped(n, y, residual, args_.act_min, args_.act_max, y);
    else if (args_.act_min != -kInfinity || args_.act_max != kInfinity)
      passes_.clamp(n, y, args_.act_min, args_.act_max, y);
  }

  FloatConv2dArgs args_;
  std::shared_ptr<const Blobs> blobs_;
  FloatPasses passes_;
  Runs runs_;
  std::string implementation_;
  std::shared_ptr<const float> plain_;
  std::shared_ptr<const PackedFloats> packed_;
  memory weights_, bias_;
  std::vector<FloatPart> parts_;
  int64_t scratch_bytes_ = 0;
};

}  // namespace

std::unique_ptr<Kernel> make_conv2d(const FloatConv2dArgs& args, const std::shared_ptr<const Blobs>& blobs,
                                    const FloatPasses& passes) {
  if (declines(args.geometry)) return nullptr;
  try {
    Runs runs(Pass::forward, args.geometry, !blobs->bias.empty());
    if (!runs.made()) return nullptr;
    return std::make_unique<Conv2d>(args, blobs, passes, std::move(runs));
  } catch (const dnnl::error&) {
    return nullptr;
  }
}

}  // namespace octet::onednn

// SPDX-License-Identifier: Apache-2.0
// The float kernels of kernels/f32, and a library's convolutions where f32 would ask for them, as Kernels.
#include "kernels/float_kernel.h"

#include <new>

#include "kernels/f32/table.h"
#include "kernels/float_provider.h"

namespace octet {
namespace {

constexpr float kInfinity = __builtin_inff();

const float* floats(const void* p) { return static_cast<const float*>(p); }

template <class T>
const T* data_or_null(const std::vector<T>& v) {
  return v.empty() ? nullptr : v.data();
}

/// Stays on the instruction set that it was made on: packed weights are of it.
class FloatKernel : public Kernel {
 public:
  using Kernel::run;
  std::string_view implementation() const override { return isa_; }
  std::optional<QEngine> engine() const override { return std::nullopt; }

 protected:
  const f32::Table& f32_ = f32::current_table();

 private:
  std::string_view isa_ = f32::isa();
};

/// Weights as depthwise convolutions and first layers read them: [kH*kW*I/groups][O].
class Taps final : public PackedFormOf<float> {
 public:
  Taps(const float* plain, size_t size, size_t outputs) : outputs_(outputs), taps_(size) {
    const size_t row = size / outputs;
    for (size_t o = 0; o < outputs; ++o)
      for (size_t t = 0; t < row; ++t) taps_[t * outputs + o] = plain[o * row + t];
  }
  const float* data() const { return taps_.data(); }
  int64_t bytes() const override { return static_cast<int64_t>(taps_.size() * sizeof(float)); }
  bool unpacks() const override { return true; }
  std::vector<float> unpacked() const override {
    const size_t row = taps_.size() / outputs_;
    std::vector<float> plain(taps_.size());
    for (size_t o = 0; o < outputs_; ++o)
      for (size_t t = 0; t < row; ++t) plain[o * row + t] = taps_[t * outputs_ + o];
    return plain;
  }

 private:
  size_t outputs_;
  std::vector<float> taps_;
};

/// Weights as products of one instruction set read them.
class PackedPanels final : public PackedFormOf<float> {
 public:
  PackedPanels(const f32::Table& table, const f32::Panels& how, int64_t n, int64_t k, const float* plain)
      : table_(table),
        how_(how),
        n_(n),
        k_(k),
        size_(static_cast<size_t>(table.panels_size(how, n, k))),
        panels_(static_cast<float*>(::operator new(size_ * sizeof(float), kAlignment))) {
    table.pack_panels(how, n, k, plain, panels_.get());
  }
  bool fits(const f32::Table& table, const f32::Panels& how) const { return &table_ == &table && how_ == how; }
  const float* data() const { return panels_.get(); }
  int64_t bytes() const override { return static_cast<int64_t>(size_ * sizeof(float)); }
  bool unpacks() const override { return true; }
  std::vector<float> unpacked() const override {
    std::vector<float> plain(static_cast<size_t>(n_ * k_));
    table_.unpack_panels(how_, n_, k_, panels_.get(), plain.data());
    return plain;
  }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Release {
    void operator()(float* p) const { ::operator delete(p, kAlignment); }
  };
  const f32::Table& table_;
  f32::Panels how_;
  int64_t n_, k_;
  size_t size_;
  std::unique_ptr<float, Release> panels_;
};

/// What a kernel reads of a layer's weights, kept alive.
struct Held {
  std::shared_ptr<const void> form;
  f32::LayerWeights weights;
};

/// As a product reads them: [n, k] in panels, or as they are.
Held held_for_product(const FloatWeights& w, const f32::Table& table, const f32::Panels& how, int64_t n, int64_t k) {
  if (how.kc == 0) {
    const std::shared_ptr<const float> plain = w.plain();
    return {plain, {plain.get()}};
  }
  const auto form = w.find_or_pack<PackedPanels>([&](const PackedPanels& f) { return f.fits(table, how); },
                                                 [&](const float* plain) { return PackedPanels(table, how, n, k, plain); });
  return {form, {.plain = nullptr, .panels = form->data(), .how = how}};
}

class Conv2dKernel final : public FloatKernel {
 public:
  Conv2dKernel(const FloatConv2dArgs& args, std::shared_ptr<const Blobs> blobs) : args_(args), blobs_(std::move(blobs)) {
    const FloatWeights& w = blobs_->floats;
    const ConvGeometry& g = args.geometry;
    if (!f32_.conv2d_reads_taps(g)) {
      held_ = held_for_product(w, f32_, f32_.conv2d_panels(g), g.out_c, g.kernel_h * g.kernel_w * (g.in_c / g.groups));
      return;
    }
    const auto taps = w.find_or_pack<Taps>([](const Taps&) { return true; },
                                           [&](const float* plain) { return Taps(plain, w.size(), static_cast<size_t>(g.out_c)); });
    held_ = {taps, {nullptr, taps->data()}};
  }
  void run(std::span<const void* const> in, std::span<void* const> out, State*, std::byte*) const override {
    const f32::Epilogue e{data_or_null(blobs_->bias), args_.residual ? floats(in[1]) : nullptr, args_.act_min, args_.act_max};
    f32_.conv2d_fused(args_.geometry, floats(in[0]), held_.weights, e, static_cast<float*>(out[0]));
  }

 private:
  FloatConv2dArgs args_;
  std::shared_ptr<const Blobs> blobs_;
  Held held_;
};

class LinearKernel final : public FloatKernel {
 public:
  LinearKernel(const FloatLinearArgs& args, std::shared_ptr<const Blobs> blobs)
      : args_(args),
        product_{.m = args.rows, .n = args.out, .k = args.in, .transpose_b = true},
        blobs_(std::move(blobs)),
        held_(held_for_product(blobs_->floats, f32_, f32_.matmul_panels(product_), args.out, args.in)) {}
  void run(std::span<const void* const> in, std::span<void* const> out, State*, std::byte*) const override {
    f32_.matmul_fused(product_, floats(in[0]), held_.weights, {data_or_null(blobs_->bias), nullptr, args_.act_min, args_.act_max},
                      static_cast<float*>(out[0]));
  }

 private:
  FloatLinearArgs args_;
  f32::Matmul product_;
  std::shared_ptr<const Blobs> blobs_;
  Held held_;
};

class AffineKernel final : public FloatKernel {
 public:
  AffineKernel(const FloatAffineArgs& args, std::shared_ptr<const Blobs> blobs) : args_(args), blobs_(std::move(blobs)) {}
  bool may_overwrite(size_t) const override { return true; }
  void run(std::span<const void* const> in, std::span<void* const> out, State*, std::byte*) const override {
    f32_.column_affine(args_.rows, args_.channels, floats(in[0]), blobs_->scale.data(), blobs_->bias.data(), -kInfinity, kInfinity,
                       static_cast<float*>(out[0]));
  }

 private:
  FloatAffineArgs args_;
  std::shared_ptr<const Blobs> blobs_;
};

class Pool2dKernel final : public FloatKernel {
 public:
  explicit Pool2dKernel(const FloatPool2dArgs& args) : args_(args) {}
  void run(std::span<const void* const> in, std::span<void* const> out, State*, std::byte*) const override {
    const auto pool = args_.kind == kernels::PoolKind::max ? f32_.pool2d_max : f32_.pool2d_average;
    pool(args_.geometry, floats(in[0]), static_cast<float*>(out[0]));
  }

 private:
  FloatPool2dArgs args_;
};

class ClampKernel final : public FloatKernel {
 public:
  explicit ClampKernel(const FloatClampArgs& args) : args_(args) {}
  bool may_overwrite(size_t) const override { return true; }
  void run(std::span<const void* const> in, std::span<void* const> out, State*, std::byte*) const override {
    f32_.clamp(args_.count, floats(in[0]), args_.act_min, args_.act_max, static_cast<float*>(out[0]));
  }

 private:
  FloatClampArgs args_;
};

class AddKernel final : public FloatKernel {
 public:
  explicit AddKernel(const FloatAddArgs& args) : args_(args) {}
  bool may_overwrite(size_t) const override { return true; }
  void run(std::span<const void* const> in, std::span<void* const> out, State*, std::byte*) const override {
    f32_.add_clamped(args_.count, floats(in[0]), floats(in[1]), args_.act_min, args_.act_max, static_cast<float*>(out[0]));
  }

 private:
  FloatAddArgs args_;
};

class MatMulKernel final : public FloatKernel {
 public:
  explicit MatMulKernel(const FloatMatMulArgs& args) : args_(args) {}
  void run(std::span<const void* const> in, std::span<void* const> out, State*, std::byte*) const override {
    const FloatMatMulArgs& g = args_;
    const f32::Matmul product{.m = g.m, .n = g.n, .k = g.k, .transpose_a = g.transpose_a, .transpose_b = g.transpose_b};
    float* to = static_cast<float*>(out[0]);
    for (int64_t i = 0; i < g.batch[0]; ++i)
      for (int64_t j = 0; j < g.batch[1]; ++j)
        for (int64_t k = 0; k < g.batch[2]; ++k)
          for (int64_t l = 0; l < g.batch[3]; ++l, to += g.m * g.n)
            f32_.matmul(product, floats(in[0]) + at(g.a_batch, i, j, k, l), floats(in[1]) + at(g.b_batch, i, j, k, l), nullptr, to);
  }

 private:
  static int64_t at(const std::array<int64_t, 4>& steps, int64_t i, int64_t j, int64_t k, int64_t l) {
    return i * steps[0] + j * steps[1] + k * steps[2] + l * steps[3];
  }
  FloatMatMulArgs args_;
};

/// Where a library fails; it may hold the weights in its own layout alone.
void conv2d_without_library(const FloatConv2dArgs& args, const Blobs& blobs, const float* x, const float* residual, float* y) {
  const std::shared_ptr<const float> plain = blobs.floats.plain();
  f32::conv2d_fused(args.geometry, x, {plain.get()}, {data_or_null(blobs.bias), residual, args.act_min, args.act_max}, y);
}

template <class T, class... Types>
std::unique_ptr<Kernel> kernel(Types&&... arguments) {
  return std::make_unique<T>(std::forward<Types>(arguments)...);
}

}  // namespace

std::string_view name_of(const FloatArgs& args) {
  constexpr std::string_view kNames[] = {"conv2d", "linear", "affine", "pool2d", "clamp", "add", "matmul"};
  static_assert(std::size(kNames) == std::variant_size_v<FloatArgs>);
  return kNames[args.index()];
}

namespace {

struct Elements {
  int64_t operator()(const FloatConv2dArgs& a) const {
    return a.geometry.batch * a.geometry.out_h * a.geometry.out_w * a.geometry.out_c;
  }
  int64_t operator()(const FloatLinearArgs& a) const { return a.rows * a.out; }
  int64_t operator()(const FloatAffineArgs& a) const { return a.rows * a.channels; }
  int64_t operator()(const FloatPool2dArgs& a) const {
    return a.geometry.batch * a.geometry.out_h * a.geometry.out_w * a.geometry.channels;
  }
  int64_t operator()(const FloatClampArgs& a) const { return a.count; }
  int64_t operator()(const FloatAddArgs& a) const { return a.count; }
  int64_t operator()(const FloatMatMulArgs& a) const { return a.batch[0] * a.batch[1] * a.batch[2] * a.batch[3] * a.m * a.n; }
};

}  // namespace

int64_t output_bytes(const FloatArgs& args) { return std::visit(Elements(), args) * static_cast<int64_t>(sizeof(float)); }

int64_t macs(const FloatArgs& args) {
  const int64_t elements = std::visit(Elements(), args);
  if (const auto* conv = std::get_if<FloatConv2dArgs>(&args))
    return elements * conv->geometry.kernel_h * conv->geometry.kernel_w * (conv->geometry.in_c / conv->geometry.groups);
  if (const auto* linear = std::get_if<FloatLinearArgs>(&args)) return elements * linear->in;
  if (const auto* product = std::get_if<FloatMatMulArgs>(&args)) return elements * product->k;
  return 0;
}

std::unique_ptr<Kernel> make(const FloatArgs& args, std::shared_ptr<const Blobs> blobs) {
  struct Maker {
    std::shared_ptr<const Blobs> blobs;
    std::unique_ptr<Kernel> operator()(const FloatConv2dArgs& a) const {
      if (const FloatProvider* p = f32::provider_for(a.geometry); p != nullptr)
        if (std::unique_ptr<Kernel> made = p->make_conv2d(a, blobs, {f32::add_clamped, f32::clamp, conv2d_without_library}))
          return made;
      return kernel<Conv2dKernel>(a, blobs);
    }
    std::unique_ptr<Kernel> operator()(const FloatLinearArgs& a) const { return kernel<LinearKernel>(a, blobs); }
    std::unique_ptr<Kernel> operator()(const FloatAffineArgs& a) const { return kernel<AffineKernel>(a, blobs); }
    std::unique_ptr<Kernel> operator()(const FloatPool2dArgs& a) const { return kernel<Pool2dKernel>(a); }
    std::unique_ptr<Kernel> operator()(const FloatClampArgs& a) const { return kernel<ClampKernel>(a); }
    std::unique_ptr<Kernel> operator()(const FloatAddArgs& a) const { return kernel<AddKernel>(a); }
    std::unique_ptr<Kernel> operator()(const FloatMatMulArgs& a) const { return kernel<MatMulKernel>(a); }
  };
  return std::visit(Maker{std::move(blobs)}, args);
}

}  // namespace octet

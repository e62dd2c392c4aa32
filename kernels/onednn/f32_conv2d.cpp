// SPDX-License-Identifier: Apache-2.0
// Float convolution and its gradients through oneDNN: a batch is cut into runs of images, one for each thread. Weight gradients are
// summed per run and then in the order of the runs.
#include <algorithm>
#include <new>
#include <unordered_map>

#include "kernels/float_provider.h"
#include "kernels/onednn/f32_runs.h"
#include "kernels/onednn/primitive.h"
#include "kernels/parallel.h"

namespace octet {
namespace onednn {
namespace {

using dnnl::memory;

/// What a thread keeps from call to call; those of one thread that are in use at the same time differ.
enum class Buffer { weights, partials, scratch, input, output };

void* buffer(Buffer which, size_t bytes) {
  struct Buffers {
    void* data[5] = {};
    size_t size[5] = {};
    ~Buffers() {
      for (void* p : data) ::operator delete (p, std::align_val_t{64});
    }
  };
  thread_local constinit Buffers buffers;
  const auto i = static_cast<size_t>(which);
  if (bytes > buffers.size[i]) {
    ::operator delete (buffers.data[i], std::align_val_t{64});
    buffers.data[i] = nullptr, buffers.size[i] = 0;
    buffers.data[i] = ::operator new (bytes, std::align_val_t{64});
    buffers.size[i] = bytes;
  }
  return buffers.data[i];
}

memory view(const memory::desc& layout, const void* data) { return {layout, cpu(), const_cast<void*>(data)}; }

void copy(const memory& from, const memory& to) {
  const OneThread one;  // a team of OpenMP threads would go on spinning beside octet's own
  dnnl::stream stream(cpu());
  dnnl::reorder(from, to).execute(stream, const_cast<memory&>(from), const_cast<memory&>(to));
  stream.wait();
}

/// The data in the wanted layout: itself, or a copy in a buffer.
memory arranged(const memory::desc& plain, const memory::desc& wanted, const void* data, Buffer which) {
  memory from = view(plain, data);
  if (plain == wanted) return from;
  memory to = view(wanted, buffer(which, wanted.get_size()));
  copy(from, to);
  return to;
}

void execute(const Convolution& c, std::initializer_list<std::pair<const int, memory>> arguments) {
  std::unordered_map<int, memory> all(arguments);
  all.emplace(DNNL_ARG_SCRATCHPAD, view(c.scratch, buffer(Buffer::scratch, c.scratch.get_size())));
  dnnl::stream stream(cpu());
  c.primitive.execute(stream, all);
  stream.wait();
}

bool conv2d(const ConvGeometry& g, const float* x, const float* w, const float* bias, float* y) {
  if (declines(g)) return false;
  try {
    const Runs runs(Pass::forward, g, bias != nullptr);
    if (!runs.made()) return false;
    const memory weights = arranged(runs.any().plain.w, runs.any().own.w, w, Buffer::weights);
    return runs.each(g.batch, [&](const Convolution& c, int, int64_t begin, int64_t) {
      const memory in = arranged(c.plain.x, c.own.x, x + begin * input_image(g), Buffer::input);
      const memory to = view(c.plain.y, y + begin * output_image(g));
      const bool direct = c.plain.y == c.own.y;
      const memory out = direct ? to : view(c.own.y, buffer(Buffer::output, c.own.y.get_size()));
      if (bias != nullptr)
        execute(c, {{DNNL_ARG_SRC, in},
                    {DNNL_ARG_WEIGHTS, weights},
                    {DNNL_ARG_BIAS, view({{g.out_c}, memory::data_type::f32, memory::format_tag::a}, bias)},
                    {DNNL_ARG_DST, out}});
      else
        execute(c, {{DNNL_ARG_SRC, in}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DST, out}});
      if (!direct) copy(out, to);
    });
  } catch (const std::exception&) {
    return false;
  }
}

bool conv2d_grad_input(const ConvGeometry& g, const float* dy, const float* w, float* dx) {
  if (empty(g)) return false;
  try {
    const Runs runs(Pass::input_gradient, g, false);
    if (!runs.made()) return false;
    const memory weights = arranged(runs.any().plain.w, runs.any().own.w, w, Buffer::weights);
    return runs.each(g.batch, [&](const Convolution& c, int, int64_t begin, int64_t) {
      const memory in = arranged(c.plain.y, c.own.y, dy + begin * output_image(g), Buffer::input);
      const memory to = view(c.plain.x, dx + begin * input_image(g));
      const bool direct = c.plain.x == c.own.x;
      const memory out = direct ? to : view(c.own.x, buffer(Buffer::output, c.own.x.get_size()));
      execute(c, {{DNNL_ARG_DIFF_DST, in}, {DNNL_ARG_WEIGHTS, weights}, {DNNL_ARG_DIFF_SRC, out}});
      if (!direct) copy(out, to);
    });
  } catch (const std::exception&) {
    return false;
  }
}

bool conv2d_grad_weight(const ConvGeometry& g, const float* x, const float* dy, float* dw) {
  const bool depthwise = g.groups == g.in_c && g.groups == g.out_c;
  const bool short_rows = g.out_w <= 7 && g.kernel_h * g.kernel_w > 1 && !depthwise;
  if (empty(g) || g.in_c == 1 || short_rows) return false;  // octet's own are faster
  try {
    const Runs runs(Pass::weight_gradient, g, false);
    if (!runs.made()) return false;
    const memory::desc &own = runs.any().own.w, &plain = runs.any().plain.w;
    const size_t size = own.get_size() / sizeof(float);
    const bool direct = own == plain;
    float* sums = static_cast<float*>(buffer(Buffer::partials, static_cast<size_t>(runs.count()) * own.get_size()));
    const auto sum = [&](int run) { return run == 0 && direct ? dw : sums + static_cast<size_t>(run) * size; };
    const bool good = runs.each(g.batch, [&](const Convolution& c, int run, int64_t begin, int64_t) {
      const memory in = arranged(c.plain.x, c.own.x, x + begin * input_image(g), Buffer::input);
      const memory out = arranged(c.plain.y, c.own.y, dy + begin * output_image(g), Buffer::output);
      execute(c, {{DNNL_ARG_SRC, in}, {DNNL_ARG_DIFF_DST, out}, {DNNL_ARG_DIFF_WEIGHTS, view(c.own.w, sum(run))}});
    });
    if (!good) return false;
    if (runs.count() > 1)
      parallel(static_cast<int64_t>(size), 16384, [&](int, int64_t begin, int64_t end) {
        float* to = sum(0);
        for (int run = 1; run < runs.count(); ++run) {
          const float* from = sum(run);
          for (int64_t i = begin; i < end; ++i) to[i] += from[i];
        }
      });
    if (!direct) copy(view(own, sum(0)), view(plain, dw));
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

/// Measured on AVX2 and AVX-512; nothing is known of older processors.
bool usable() {
  const dnnl::cpu_isa isa = dnnl::get_effective_cpu_isa();
  return isa != dnnl::cpu_isa::sse41 && isa != dnnl::cpu_isa::avx && isa != dnnl::cpu_isa::isa_default;
}

}  // namespace
}  // namespace onednn

const FloatProvider* float_provider() {
  static const FloatProvider provider{"onednn", onednn::conv2d, onednn::conv2d_grad_input, onednn::conv2d_grad_weight,
                                      onednn::make_conv2d};
  static const bool usable = onednn::usable();
  return usable ? &provider : nullptr;
}

}  // namespace octet

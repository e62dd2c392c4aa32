// SPDX-License-Identifier: Apache-2.0
// Running a plan: the memory of one session and the loop over its steps.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <new>

#include "compile/arena_plan.h"
#include "compile/plan.h"
#include "engine/batches.h"
#include "engine/module_check.h"
#include "kernels/float_scope.h"
#include "kernels/parallel.h"

namespace octet {
namespace {

constexpr std::align_val_t kAlignment{kArenaAlignment};

/// Held by the run that is going on.
class Turn {
 public:
  explicit Turn(std::atomic_flag& busy) : busy_(busy) {
    check(!busy_.test_and_set(std::memory_order_acquire),
          "Session: already running in another thread; give every thread a session of its own");
  }
  ~Turn() { busy_.clear(std::memory_order_release); }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;

 private:
  std::atomic_flag& busy_;
};

double median(std::vector<double>& values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::ranges::nth_element(values, middle);
  return *middle;
}

}  // namespace

struct Session::Impl {
  struct Release {
    void operator()(std::byte* p) const { ::operator delete(p, kAlignment); }
  };
  using Memory = std::unique_ptr<std::byte, Release>;
  static Memory allocate(int64_t bytes) {
    return Memory(bytes == 0 ? nullptr : static_cast<std::byte*>(::operator new(static_cast<size_t>(bytes), kAlignment)));
  }

  Impl(std::shared_ptr<const Program>, std::vector<Shape> input_shapes, std::shared_ptr<const Plan>);

  std::span<const Tensor> run(std::span<const Tensor> inputs, double* micros);

  std::shared_ptr<const Program> program;
  std::vector<Shape> input_shapes;
  std::shared_ptr<const Plan> plan;
  std::vector<Tensor> outputs;

 private:
  /// An operand of a kernel: in a block, or in the tensor of a value that is not planned.
  struct Place {
    int block = -1, value = 0;
    int64_t offset = 0;
  };
  /// One kernel run, as short as it can be: what a step of the plan says, side by side.
  struct Launch {
    const Kernel* kernel = nullptr;
    std::unique_ptr<Kernel::State> state;
    size_t first = 0, inputs = 0, outputs = 0;  // of its places
  };
  /// A block that is an input's or an output's memory.
  struct Outside {
    size_t block, number;
  };
  void check_inputs(std::span<const Tensor>) const;
  bool wants_doubles(std::span<const Tensor>) const;
  bool are_outputs(std::span<const Tensor>) const;
  std::span<const Tensor> run_doubles(std::span<const Tensor>, double* micros);
  void point_blocks(std::span<const Tensor>);
  void run_step(size_t, const Tensor* input);
  void take_input(size_t, const Tensor&);
  void run_floats(size_t);
  void put_tensor(int v, Tensor);

  const Plan::Value& value(int v) const { return plan->values[static_cast<size_t>(v)]; }
  int index(const Wire& w) const { return plan->steps[static_cast<size_t>(w.module)].first_value + w.port; }
  /// Where a planned value lies now.
  std::byte* place(const Plan::Value& v) const { return bases_[static_cast<size_t>(v.block)] + v.offset; }
  /// Where an operand of a kernel lies now.
  std::byte* at(const Place& p) const {
    if (p.block >= 0) return bases_[static_cast<size_t>(p.block)] + p.offset;
    const void* raw = tensors_[static_cast<size_t>(p.value)]->raw();  // of an input: it is only read
    return static_cast<std::byte*>(const_cast<void*>(raw)) + p.offset;
  }
  Tensor empty_tensor(int v) const {
    const Tensor t(value(v).shape, value(v).dtype);
    return value(v).qparams ? t.with(*value(v).qparams) : t;
  }
  Tensor tensor(int v) const;

  Memory arena_, scratch_;
  std::vector<int> input_steps_;
  std::vector<Outside> given_, placed_;  // inputs, outputs
  std::vector<std::byte*> bases_;        // by block
  std::vector<size_t> first_launch_;     // by step, and one more
  std::vector<Launch> launches_;
  std::vector<Place> places_;                   // of all launches, inputs before outputs
  std::vector<bool> kernel_reads_;              // by value: it is an operand of a launch
  std::vector<std::optional<Tensor>> tensors_;  // by value; those that are not planned
  std::vector<Tensor> doubles_;                 // outputs of a run on f64
  std::atomic_flag busy_;
};

Session::Impl::Impl(std::shared_ptr<const Program> bound, std::vector<Shape> shapes, std::shared_ptr<const Plan> made)
    : program(std::move(bound)), input_shapes(std::move(shapes)), plan(std::move(made)) {
  for (const int v : plan->outputs) outputs.push_back(value(v).block < 0 ? Tensor() : empty_tensor(v));
  arena_ = allocate(plan->memory.arena), scratch_ = allocate(plan->memory.scratch);
  for (const Plan::Block& b : plan->blocks) {
    if (b.input >= 0) given_.push_back({bases_.size(), static_cast<size_t>(b.input)});
    if (b.output >= 0) placed_.push_back({bases_.size(), static_cast<size_t>(b.output)});
    bases_.push_back(arena_ ? arena_.get() + b.offset : nullptr);
  }
  kernel_reads_.resize(plan->values.size());
  for (const Plan::Step& step : plan->steps) {
    if (step.how == Plan::How::input) input_steps_.push_back(static_cast<int>(first_launch_.size()));
    first_launch_.push_back(launches_.size());
    for (const Plan::Run& run : step.runs) {
      launches_.push_back({run.kernel.get(), run.kernel->make_state(), places_.size(), run.inputs.size(), run.outputs.size()});
      if (run.output_bytes == 0) launches_.back().kernel = nullptr;  // nothing to write
      for (const auto* operands : {&run.inputs, &run.outputs})
        for (const Plan::Place& p : *operands) {
          const Plan::Value& v = value(p.value);
          places_.push_back({v.block, p.value, v.block >= 0 ? v.offset + p.offset : p.offset});
          kernel_reads_[static_cast<size_t>(p.value)] = true;
        }
    }
  }
  first_launch_.push_back(launches_.size());
  tensors_.resize(plan->values.size());
}

void Session::Impl::check_inputs(std::span<const Tensor> inputs) const {
  check(inputs.size() == input_shapes.size(), "Session: ", inputs.size(), " inputs given, the model has ", input_shapes.size());
  for (size_t k = 0; k < inputs.size(); ++k)
    if (inputs[k].shape() != input_shapes[k])  // the message costs memory: only when it is needed
      fail(program->model().modules[static_cast<size_t>(input_steps_[k])].path, ": expected shape ", to_string(input_shapes[k]),
           ", got ", to_string(inputs[k].shape()));
}

/// Whether an input whose memory kernels would read as f32 comes in f64.
bool Session::Impl::wants_doubles(std::span<const Tensor> inputs) const {
  return std::ranges::any_of(given_, [&](const Outside& g) { return inputs[g.number].dtype() == DType::f64; });
}

/// What has no float32 parameter on its way computes in f64 as well; all else says that it does not.
std::span<const Tensor> Session::Impl::run_doubles(std::span<const Tensor> inputs, double* micros) {
  for (const Module& module : program->model().modules)
    for (const auto& [name, tensor] : module.params)
      if (tensor.raw() == nullptr && tensor.numel() > 0)
        fail("Session: expected f32, got f64; kernels alone hold the weights of ", module.path, ", and they compute from f32");
  auto before = std::chrono::steady_clock::now();
  doubles_ = infer(program->model(), inputs, [&](int index, std::span<const Tensor>) {
    const auto now = std::chrono::steady_clock::now();
    if (micros != nullptr) micros[index] = std::chrono::duration<double, std::micro>(now - before).count();
    before = now;
  });
  return doubles_;
}

bool Session::Impl::are_outputs(std::span<const Tensor> inputs) const {
  for (const Tensor& x : inputs)
    for (const Tensor& y : outputs)
      if (x.raw() == y.raw() && x.bytes() > 0) return true;
  return false;
}

/// Where the memory of this run lies that is not the session's.
void Session::Impl::point_blocks(std::span<const Tensor> inputs) {
  for (const auto& [block, k] : given_) bases_[block] = static_cast<std::byte*>(const_cast<void*>(inputs[k].raw()));
  // An output that somebody kept a copy of gets memory of its own.
  for (const auto& [block, o] : placed_) bases_[block] = static_cast<std::byte*>(outputs[o].mutable_raw());
}

std::span<const Tensor> Session::Impl::run(std::span<const Tensor> inputs, double* micros) {
  const FloatScope environment;
  const Turn turn(busy_);
  check_inputs(inputs);
  const ThreadsScope scope(plan->threads);
  if (wants_doubles(inputs)) return run_doubles(inputs, micros);
  std::vector<Tensor> held;  // what the run before gave is not written to while this one reads it
  if (are_outputs(inputs)) held.assign(inputs.begin(), inputs.end()), inputs = held;
  point_blocks(inputs);
  const Tensor* next = inputs.data();
  for (size_t i = 0; i < plan->steps.size(); ++i) {
    const auto before = micros == nullptr ? std::chrono::steady_clock::time_point{} : std::chrono::steady_clock::now();
    run_step(i, plan->steps[i].how == Plan::How::input ? next++ : nullptr);
    if (micros != nullptr) micros[i] = std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - before).count();
  }
  for (size_t o = 0; o < outputs.size(); ++o) {
    const Plan::Value& v = value(plan->outputs[o]);
    if (v.block < 0)
      outputs[o] = *tensors_[static_cast<size_t>(plan->outputs[o])];
    else if (plan->blocks[static_cast<size_t>(v.block)].output != static_cast<int>(o) && v.bytes > 0)
      std::memcpy(outputs[o].mutable_raw(), place(v), static_cast<size_t>(v.bytes));
  }
  return outputs;
}

void Session::Impl::run_step(size_t i, const Tensor* input) {
  const Plan::Step& step = plan->steps[i];
  switch (step.how) {
    case Plan::How::alias: return;
    case Plan::How::input: return take_input(i, *input);
    case Plan::How::floats: run_floats(i); break;
    case Plan::How::kernels: {
      for (size_t k = first_launch_[i]; k < first_launch_[i + 1]; ++k) {
        const Launch& run = launches_[k];
        if (run.kernel == nullptr) continue;
        const void* in[Plan::kMostOperands];
        void* out[Plan::kMostOperands];
        const Place* p = places_.data() + run.first;
        for (size_t j = 0; j < run.inputs; ++j) in[j] = at(*p++);
        for (size_t j = 0; j < run.outputs; ++j) out[j] = at(*p++);
        run.kernel->run({in, run.inputs}, {out, run.outputs}, run.state.get(), scratch_.get());
      }
    }
  }
  for (const int v : step.forgets) tensors_[static_cast<size_t>(v)].reset();
}

void Session::Impl::take_input(size_t i, const Tensor& x) {
  const Plan::Step& step = plan->steps[i];
  const Plan::Value& v = value(step.first_value);
  const std::string& path = program->model().modules[i].path;
  if (x.qparams() && (step.runs.empty() || x.qparams() == v.qparams)) check_codes(x, path);
  if (v.block < 0) {
    put_tensor(step.first_value, infer_module(program->model(), static_cast<int>(i), {&x, 1})[0]);
    return;
  }
  if (step.runs.empty()) {  // kernels read it where it lies
    if (x.dtype() == DType::f32) return;
    check(x.qparams().has_value(), path, ": expected a float tensor or codes with quantization parameters, got ",
          to_string(x.dtype()));
    Tensor& floats = tensors_[static_cast<size_t>(step.first_value)].emplace(dequantize(x));
    bases_[static_cast<size_t>(v.block)] = static_cast<std::byte*>(floats.mutable_raw());
    return;
  }
  if (v.bytes == 0) return;
  if (x.qparams() == v.qparams) {
    std::memcpy(place(v), x.raw(), static_cast<size_t>(v.bytes));
    return;
  }
  std::optional<Tensor> floats;
  if (x.qparams()) floats = dequantize(x);  // codes of another meaning
  if (!floats && x.dtype() != DType::f32) fail(path, ": expected f32, got ", to_string(x.dtype()));
  const void* in[] = {floats ? floats->raw() : x.raw()};
  step.runs[0].kernel->run(in, place(v), launches_[first_launch_[i]].state.get(), scratch_.get());
}

Tensor Session::Impl::tensor(int v) const {
  const Plan::Value& from = value(v);
  if (from.block < 0) return *tensors_[static_cast<size_t>(v)];
  Tensor t = empty_tensor(v);
  if (from.bytes > 0) std::memcpy(t.mutable_raw(), place(from), static_cast<size_t>(from.bytes));
  return t;
}

void Session::Impl::put_tensor(int v, Tensor t) {
  if (kernel_reads_[static_cast<size_t>(v)] && t.dtype() != value(v).dtype)
    fail("a kernel reads ", to_string(value(v).dtype), ", a hook gave ", to_string(t.dtype()));
  tensors_[static_cast<size_t>(v)] = std::move(t);
}

void Session::Impl::run_floats(size_t i) {
  const Model& model = program->model();
  std::vector<Tensor> in;
  for (const Wire& w : model.modules[i].inputs) in.push_back(tensor(index(w)));
  std::vector<Tensor> out = infer_module(model, static_cast<int>(i), in);
  naming(model.modules[i].path, [&] {
    for (size_t port = 0; port < out.size(); ++port)
      put_tensor(plan->steps[i].first_value + static_cast<int>(port), std::move(out[port]));
  });
}

Session::Session(std::shared_ptr<const Program> program, std::vector<Shape> input_shapes, std::optional<int> thread_count) {
  check(program != nullptr, "Session: no program");
  std::shared_ptr<const Plan> plan = program->plan(input_shapes, thread_count.value_or(threads()));
  const MemoryReport memory = plan->memory;
  try {
    impl_ = std::make_unique<Impl>(std::move(program), std::move(input_shapes), std::move(plan));
  } catch (const std::bad_alloc&) {
    fail("Session: out of memory: the arena needs ", memory.arena, " bytes, scratch memory ", memory.scratch, ", outputs ",
         memory.outputs);
  }
}
Session::~Session() = default;
Session::Session(Session&&) noexcept = default;
Session& Session::operator=(Session&&) noexcept = default;

Session::Impl& Session::impl() const {
  check(impl_ != nullptr, "Session: moved from; use the session it was moved to");
  return *impl_;
}

std::span<const Tensor> Session::run(std::span<const Tensor> inputs) try {
  return impl().run(inputs, nullptr);
} catch (const std::bad_alloc&) {
  fail("Session::run: out of memory");
}

std::vector<double> Session::time(std::span<const Tensor> inputs, int repeats) try {
  check(repeats >= 1, "Session::time: expected at least 1 repeat, got ", repeats);
  const size_t modules = impl().plan->steps.size();
  std::vector<std::vector<double>> micros(modules);
  std::vector<double> once(modules);
  for (int r = 0; r < repeats; ++r) {
    impl().run(inputs, once.data());
    for (size_t i = 0; i < modules; ++i) micros[i].push_back(once[i]);
  }
  std::vector<double> medians;
  for (std::vector<double>& m : micros) medians.push_back(median(m));
  return medians;
} catch (const std::bad_alloc&) {
  fail("Session::time: out of memory");
}

const Plan& Session::plan() const { return *impl().plan; }
MemoryReport Session::memory() const {
  MemoryReport memory = impl().plan->memory;
  count_weights(impl().program->model(), *impl().plan, memory);
  return memory;
}

Tensor run_batched(const std::shared_ptr<const Program>& program, std::span<const Tensor> inputs, int64_t batch) try {
  const FloatScope environment;
  check(program != nullptr, "run_batched: no program");
  check(batch > 0, "run_batched: batch must be positive, got ", batch);
  check(!inputs.empty(), "run_batched: no data");
  check_input_count(program->model(), inputs.size(), "run_batched: the data");
  for (const Tensor& t : inputs) {
    check(t.rank() > 0 && t.size(0) > 0, "run_batched: no rows in ", to_string(t.shape()));
    check(t.size(0) == inputs[0].size(0), "run_batched: input ", &t - inputs.data(), " has ", t.size(0), " rows, input 0 has ",
          inputs[0].size(0));
  }
  std::vector<Tensor> parts;
  std::optional<Session> session;
  int64_t prepared = 0;
  for (int64_t begin = 0, all = inputs[0].size(0); begin < all; begin += batch) {
    std::vector<Tensor> x;
    std::vector<Shape> shapes;
    for (const Tensor& t : inputs)
      x.push_back(slice_rows(t, begin, std::min(begin + batch, all))), shapes.push_back(x.back().shape());
    if (x[0].size(0) != prepared) session.emplace(program, std::move(shapes));
    prepared = x[0].size(0);
    parts.push_back(dequantize(session->run(x)[0]));
    check(parts.back().rank() > 0 && parts.back().size(0) == prepared, "run_batched: for ", prepared,
          " rows came an output of shape ", to_string(parts.back().shape()), ": the model's first axis is no batch");
  }
  return concat(parts, 0);
} catch (const std::bad_alloc&) {
  fail("run_batched: out of memory");
}

Tensor run_batched(const std::shared_ptr<const Program>& program, const Tensor& inputs, int64_t batch) {
  return run_batched(program, {&inputs, 1}, batch);
}

}  // namespace octet

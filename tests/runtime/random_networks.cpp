// SPDX-License-Identifier: Apache-2.0
// Random networks and placements, see the header.
#include "tests/runtime/random_networks.h"

#include <algorithm>
#include <numeric>

#include "quant/quantize.h"
#include "runtime/image.h"
#include "tests/runtime/device.h"

namespace octet::device {
namespace {

/// Appends random modules to a model and knows the shapes so far.
class Builder {
 public:
  Builder(Generator& g, bool functions) : g_(g), functions_(functions) {
    const int64_t channels[] = {1, 2, 3, 4, 5, 8, 12, 16, 17, 32};
    model_.add("x", Input{{static_cast<int64_t>(1 + below(2)), pick(7), pick(7), channels[below(std::size(channels))]}});
  }

  Model build() {
    if (functions_ && below(4) == 0) model_.add("first", moved(shape(0)));  // a piece of the input, say
    for (size_t i = 3 + below(6); i > 0; --i) add("m" + std::to_string(i));
    if (below(2) == 0) finish();
    model_.outputs = {{last(), 0}};
    if (below(3) == 0) model_.outputs.push_back({static_cast<int>(1 + below(static_cast<uint32_t>(last()))), 0});
    return std::move(model_);
  }

 private:
  uint32_t below(uint32_t n) { return g_.next32() % n; }
  int64_t pick(uint32_t most) { return 1 + below(most); }
  int last() const { return static_cast<int>(model_.modules.size()) - 1; }
  const Shape& shape(int i) const { return model_.modules[static_cast<size_t>(i)].nominal[0]; }
  /// Mostly the newest value, so that networks are deep; now and then any.
  int any() { return below(4) == 0 ? static_cast<int>(below(static_cast<uint32_t>(last()) + 1)) : last(); }

  void add(const std::string& path) {
    const int from = any();
    const Shape& s = shape(from);
    const std::vector<Wire> one{{from, 0}};
    switch (s.size() == 4 ? below(12) : 10) {
      case 0:
      case 1:
      case 2: model_.add(path, pointwise(s), one); break;
      case 3:
      case 4: window(path, from, 1, below(8) == 0 ? 2 : 1); break;
      case 5:
      case 6: window(path, from, s[3], 1); break;
      case 7: model_.add(path, pool(s), one); break;
      case 8: add_two(path, from, true); break;
      case 9: add_two(path, from, false); break;
      case 10: model_.add(path, Linear{s.back(), pick(20), below(4) != 0, act()}, one); break;
      default:
        if (functions_ && below(6) == 0) {  // every line's pixels with each other
          model_.add(path, MatMul{.transpose_b = true}, {{from, 0}, {from, 0}});
        } else if (functions_ && below(6) == 0) {
          const int own = model_.add(path + "own", Constant{{1, 1, s[2], s[3]}});
          model_.add(path, Binary{sum_function(), act()}, {{from, 0}, {own, 0}});
        } else
          model_.add(path, functions_ && below(2) == 0 ? moved(s) : function(), one);
        break;
    }
  }

  Activation act() {
    constexpr Activation kAll[] = {Activation::none, Activation::relu, Activation::relu6, {-1, 1}};
    return kAll[below(functions_ ? 4 : 3)];
  }
  BinaryFn sum_function() {
    constexpr BinaryFn kAll[] = {BinaryFn::add, BinaryFn::sub, BinaryFn::mul, BinaryFn::minimum, BinaryFn::maximum, BinaryFn::add};
    return functions_ ? kAll[below(std::size(kAll))] : BinaryFn::add;
  }
  /// Values moved about, and means, of a picture.
  Op moved(const Shape& s) {
    switch (below(14)) {
      case 0: return Slice{{1, 3}, {0, -std::min<int64_t>(s[3], 3)}, {s[1], s[3]}, {2, 1}};
      case 1: return Pad{{0, 1, 0, 0}, {0, 0, 2, 0}};
      case 2: return Pad{{0, 0, 1, 0}, {0, 1, 0, 1}, PadMode::replicate};
      case 3: return Flip{{2}};
      case 4: return Gather{3, {0, s[3] - 1, 0}};
      case 5: return ResizeNearest{{s[1] + 1, s[2]}};
      case 6: return Reduce{static_cast<ReduceFn>(below(4)), {1, 2}, true};
      case 7: return Slice{{1}, {0}, {(s[1] + 1) / 2}};  // of one picture: a piece of memory
      case 8: return Slice{{1}, {s[1] / 2}, {s[1]}};
      case 9: return Pad{{0, 1, 0, 0}, {0, 0, 0, 1}, PadMode::constant, 0.5};
      case 10: return Softmax{.axis = 3 - static_cast<int64_t>(below(2))};
      case 11: return Transpose{{0, 2, 1, 3}};
      case 12: return ResizeLinear{{s[1] + 1, s[2] == 1 ? 1 : s[2] - 1}, static_cast<Coordinates>(below(3))};
      default: return ChannelShuffle{s[3] % 2 == 0 ? 2 : 1};
    }
  }
  Unary function() {
    const auto fn = functions_ ? static_cast<UnaryFn>(below(kEnumNames<UnaryFn>.size())) : UnaryFn::log;
    // Finite for every finite value, however large.
    const bool bounded = fn != UnaryFn::log && fn != UnaryFn::sqrt && fn != UnaryFn::reciprocal && fn != UnaryFn::exp;
    if (functions_ && bounded) return {fn};
    return {below(2) == 0 ? UnaryFn::relu : UnaryFn::relu6};
  }
  Conv2d pointwise(const Shape& s) {
    return {.in = s[3], .out = below(2) == 0 ? s[3] : pick(20), .kernel = {1, 1}, .bias = below(4) != 0, .act = act()};
  }

  /// A convolution of this many groups (of the input's channels: depthwise), or a second call of an earlier one.
  void window(const std::string& path, int from, int64_t groups, int64_t dilation) {
    const Shape& s = shape(from);
    for (const Module& m : model_.modules) {
      const auto* conv = std::get_if<Conv2d>(&m.op);
      if (below(4) != 0 || conv == nullptr || !m.tied_to.empty() || conv->in != s[3] || !fits(*conv, s)) continue;
      model_.add_tied(path, m.path, {{from, 0}});
      return;
    }
    const bool depthwise = groups > 1;
    Conv2d conv{.in = s[3], .out = depthwise ? s[3] : pick(20), .groups = groups, .bias = below(4) != 0, .act = act()};
    if (!depthwise || below(4) == 0) conv.kernel = {pick(4), pick(4)};
    conv.stride = {pick(below(3) == 0 ? 3 : 1), pick(below(3) == 0 ? 3 : 1)};
    if (below(2) == 0) conv.stride.w = conv.stride.h;
    conv.dilation = {dilation, dilation};
    if (below(3) != 0) conv.padding = {below(3), below(3), below(3), below(3)};
    if (!fits(conv, s)) conv = pointwise(s);
    model_.add(path, conv, {{from, 0}});
  }
  static bool fits(const Conv2d& c, const Shape& s) {
    const int64_t h = s[1] + c.padding.top + c.padding.bottom, w = s[2] + c.padding.left + c.padding.right;
    return h > (c.kernel.h - 1) * c.dilation.h && w > (c.kernel.w - 1) * c.dilation.w;
  }

  Pool2d pool(const Shape& s) {
    Pool2d p{.kind = below(2) == 0 ? Pool::max : Pool::average};
    p.kernel = {std::min(pick(3), s[1]), std::min(pick(3), s[2])};
    p.stride = {pick(2), pick(2)};
    if (p.kernel.h > 1 && p.kernel.w > 1 && below(2) == 0) p.padding = pad_all(1);
    p.count_include_pad = below(2) == 0;
    return p;
  }

  void add_two(const std::string& path, int from, bool sum) {
    const Shape s = shape(from);
    std::vector<int> partners;
    const size_t joined = functions_ && below(2) == 0 ? 1 : 3;  // the axis of a concatenation
    for (int i = 0; i <= last(); ++i) {
      Shape t = shape(i);
      if (t.size() != 4) continue;
      if (!sum) t[joined] = s[joined];
      bool repeats = sum && functions_;  // axes of length 1
      for (size_t axis = 0; axis < 4; ++axis) repeats &= t[axis] == s[axis] || t[axis] == 1;
      if (t == s || repeats) partners.push_back(i);
    }
    const int other = partners[below(static_cast<uint32_t>(partners.size()))];
    const std::vector<Wire> two{{from, 0}, {other, 0}};
    if (sum)
      model_.add(path, Binary{sum_function(), act()}, two);
    else
      model_.add(path, Concat{static_cast<int64_t>(joined)}, two);
  }

  void finish() {
    if (shape(last()).size() == 4 && below(2) == 0) model_.add("mean", Pool2d{.kind = Pool::adaptive_average});
    model_.add("flat", Reshape{{0, -1}});
    model_.add("head", Linear{shape(last())[1], pick(12)});
  }

  Generator& g_;
  bool functions_;
  Model model_;
};

bool overlap(int64_t a, int64_t a_bytes, int64_t b, int64_t b_bytes) { return a < b + b_bytes && b < a + a_bytes; }

}  // namespace

Model random_wiring(Generator& g, bool functions) { return Builder(g, functions).build(); }

namespace {

/// What is joined means the same on both sides, where it has a meaning of its own: then nothing has to be copied.
void share_meanings(Model& int8, Generator& g) {
  for (size_t i = int8.modules.size(); i-- > 0;) {
    Module& join = int8.modules[i];
    if (!join.as<Concat>() || g.next32() % 2 == 0) continue;
    for (const Wire& w : join.inputs)
      if (Module& from = int8.modules[static_cast<size_t>(w.module)]; traits_of(from.op).codes == Codes::own && w.module > 0)
        from.out_q = join.out_q;
  }
  for (Module& module : int8.modules)
    if (keeps_qparams(module.op)) module.out_q = int8.modules[static_cast<size_t>(module.inputs[0].module)].out_q;
}

/// Random wiring with random weights and constants.
Model drawn(Generator& g) {
  Model net = random_wiring(g, true);
  initialize(net, g);
  for (Module& module : net.modules)
    if (module.as<Constant>()) module.params["value"] = randn(g, module.nominal[0]);
  return net;
}

}  // namespace

RandomNetwork random_network(uint64_t seed) {
  Generator g(seed);
  Model net = drawn(g);
  const Rounding roundings[] = {Rounding::real, Rounding::fixed_double, Rounding::fixed_single};
  net.rounding = roundings[g.next32() % 3];
  const QConfig qconfig = g.next32() % 4 == 0 ? octet_qconfig() : default_per_channel_symmetric_qnnpack_qconfig();
  Model prepared = prepare(fuse(net, Aim::inference, {.residual = g.next32() % 2 == 0}), {{"", qconfig}});
  Shape rows = net.modules[0].nominal[0];
  rows[0] *= 4;
  const Tensor data = randn(g, rows);
  calibrate(prepared, {&data, 1});
  Model int8 = convert(prepared);
  share_meanings(int8, g);
  Tensor input = quantize(randn(g, net.modules[0].nominal[0]), *int8.modules[0].out_q[0], int8.rounding);
  return {std::move(int8), std::move(input)};
}

RandomNetwork wide_network(uint64_t seed) {
  Generator g(seed);
  Model net = drawn(g);
  for (Module& module : net.modules) {  // what jumps has no table of 16 bits
    const Op tanh = Unary{UnaryFn::tanh};
    const auto* unary = module.as<Unary>();
    constexpr UnaryFn kJump[] = {UnaryFn::round, UnaryFn::floor, UnaryFn::ceil, UnaryFn::sign};
    if (unary != nullptr && std::ranges::find(kJump, unary->fn) != std::end(kJump)) module.op = tanh;
  }
  net.rounding = g.next32() % 2 == 0 ? Rounding::fixed_double : Rounding::fixed_single;
  const Model fused = fuse(net, Aim::inference, {.residual = false});
  QConfigMap map{{"", octet_16x8_qconfig()}};
  map.begin()->second->averages = g.next32() % 2 == 0;
  for (size_t i = g.next32() % 3; i > 0; --i)  // some at 8 bits, the input among them
    map[fused.modules[g.next32() % fused.modules.size()].path] = octet_device_qconfig();
  Model prepared = prepare(fused, map);
  Shape rows = net.modules[0].nominal[0];
  rows[0] *= 4;
  const Tensor data = randn(g, rows);
  calibrate(prepared, {&data, 1});
  Model converted = convert(prepared);
  Tensor input = quantize(randn(g, net.modules[0].nominal[0]), *converted.modules[0].out_q[0], converted.rounding);
  return {std::move(converted), std::move(input)};
}

FirmwarePlan placed_anew(FirmwarePlan plan, Generator& g) {
  struct Piece {
    int64_t bytes = 0;
    int first = 0, last = 0;
    int64_t offset = -1;
  };
  std::vector<Piece> pieces;
  for (const FirmwareBlock& b : plan.blocks) pieces.push_back({b.bytes, b.first, b.last});
  for (size_t s = 0; s < plan.steps.size(); ++s)
    pieces.push_back({plan.steps[s].scratch_bytes, static_cast<int>(s), static_cast<int>(s)});
  plan.arena_bytes = 0;
  for (const int64_t next : permutation(g, static_cast<int64_t>(pieces.size()))) {
    Piece& p = pieces[static_cast<size_t>(next)];
    if (p.bytes == 0) continue;
    int64_t at = 0;
    for (bool moved = true; moved;) {
      moved = false;
      for (const Piece& q : pieces)
        if (q.offset >= 0 && p.first <= q.last && q.first <= p.last && overlap(at, p.bytes, q.offset, q.bytes)) {
          at = (q.offset + q.bytes + image::kAlignment - 1) / image::kAlignment * image::kAlignment;
          moved = true;
        }
    }
    p.offset = at;
    plan.arena_bytes = std::max(plan.arena_bytes, at + image::padded(static_cast<uint32_t>(p.bytes), image::kAlignment));
  }
  for (FirmwareValue& v : plan.values) v.offset = pieces[static_cast<size_t>(v.block)].offset + v.block_offset;
  for (size_t s = 0; s < plan.steps.size(); ++s)
    if (plan.steps[s].scratch_bytes > 0) plan.steps[s].scratch_offset = pieces[plan.blocks.size() + s].offset;
  return plan;
}

std::string difference(const RandomNetwork& network, const FirmwarePlan& plan) {
  const Device device(image_bytes(plan));
  if (device.status() != OCTET_OK) return "not opened: status " + std::to_string(device.status());
  const Outcome got = device.run({&network.input, 1});
  if (got.status != OCTET_OK) return "not run: status " + std::to_string(got.status);
  if (got.layers.empty() || got.outputs.size() != plan.outputs.size()) return "no layers or outputs missing";
  const auto sums = host_checksums(network.int8, {&network.input, 1});
  for (const Layer& layer : got.layers) {
    bool right = sums.at(layer.name) == layer.checksum;  // or one of its other outputs, of which a run may write one
    for (int port = 1; sums.contains(layer.name + ":" + std::to_string(port)); ++port)
      right |= sums.at(layer.name + ":" + std::to_string(port)) == layer.checksum;
    if (right) continue;
    const auto step = std::ranges::find_if(plan.steps, [&](const FirmwareStep& s) { return s.path == layer.name; });
    std::string text = layer.name;
    for (const FirmwareOperand& o : step->inputs) {
      const FirmwareValue& in = plan.values[static_cast<size_t>(o.value)];
      text += ", input at " + std::to_string(in.offset) + "+" + std::to_string(in.bytes);
    }
    return text + ", scratch at " + std::to_string(step->scratch_offset) + "+" + std::to_string(step->scratch_bytes);
  }
  const std::vector<Tensor> expected = infer(network.int8, {&network.input, 1});
  for (size_t i = 0; i < expected.size(); ++i)
    if (expected[i].bytes() != got.outputs[i].size() ||
        std::memcmp(expected[i].raw(), got.outputs[i].data(), got.outputs[i].size()) != 0)
      return "output " + std::to_string(i);
  return "";
}

Tally run_random_networks(FirmwareTarget target, uint64_t first_seed, int count, int placements) {
  Tally t;
  for (uint64_t seed = first_seed; t.networks < count; ++seed) {
    const RandomNetwork network = random_network(seed);
    FirmwarePlan planned;
    try {
      planned = plan_firmware(network.int8, {.search_nodes = 2000, .target = target});
    } catch (const Error&) {  // a dead channel's bias, say: refused by name, not wrong
      ++t.refused;
      continue;
    }
    ++t.networks;
    t.packed += std::ranges::any_of(planned.steps, [](const FirmwareStep& s) { return !s.packed.empty(); }) ? 1 : 0;
    Generator g(seed);
    std::string wrong = difference(network, planned);
    for (int i = 0; wrong.empty() && i < placements; ++i) wrong = difference(network, placed_anew(planned, g));
    if (wrong.empty()) continue;
    if (t.wrong++ == 0) t.first = "seed " + std::to_string(seed) + ": " + wrong;
  }
  return t;
}

}  // namespace octet::device

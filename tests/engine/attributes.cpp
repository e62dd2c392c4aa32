// SPDX-License-Identifier: Apache-2.0
// Every attribute of every operator, one number at a time, set to values at the edges of what the arithmetic holds. What is
// accepted, and the output shapes it gives, stands in data/accepted_attributes.txt: a check that is forgotten lets more through,
// one that is too strict less. OCTET_WRITE_ATTRIBUTES=FILE writes the list of now.
#include <algorithm>
#include <cstdlib>
#include <map>

#include "engine/model.h"
#include "io/file.h"
#include "tests/catch.h"
#include "tests/engine/operators.h"

using namespace octet;

namespace {

constexpr int64_t kHuge = int64_t{1} << 32;
constexpr int64_t kValues[] = {
    INT64_MIN, -kHuge - 1,    -2,        -1,        0,        1, 2, 3, 4, 5, 6, (1 << 20), (1 << 20) + 1, (1 << 30) - 1,
    1 << 30,   kHuge / 2 - 1, kHuge / 2, kHuge + 1, INT64_MAX};

using Accepted = std::map<std::string, std::string>;

void probe(const std::string& field, const Op& op, const std::vector<Shape>& inputs, const std::string& value, Accepted& accepted) {
  std::string text;
  try {
    Model m;
    std::vector<Wire> wires;
    if (!std::holds_alternative<Input>(op))
      for (const Shape& s : inputs) {
        const std::string path = "x" + std::to_string(wires.size());
        wires.push_back({m.add(path, Input{s}), 0});
      }
    const int at = m.add("probed", op, wires);
    for (const Shape& s : m.modules[static_cast<size_t>(at)].nominal) text += " " + to_string(s);
  } catch (const Error& e) {
    INFO(field << " = " << value << ": " << e.what());
    CHECK(std::string(e.what()).find("probed") == 0);
    return;
  }
  accepted[field] += " " + value + ":" + text.substr(text.find_first_not_of(' '));
}

/// `place` is a number within `whole`.
void numbers(const std::string& field, const Op& whole, int64_t& place, const std::vector<Shape>& inputs, Accepted& accepted) {
  const int64_t before = place;
  accepted[field];
  for (const int64_t v : kValues) {
    place = v;
    probe(field, whole, inputs, std::to_string(v), accepted);
  }
  place = before;
}

constexpr std::pair<const char*, double> kReals[] = {{"-1", -1}, {"0", 0},     {"1e-300", 1e-300}, {"0.5", 0.5},
                                                     {"1", 1},   {"1.5", 1.5}, {"inf", INFINITY},  {"nan", NAN}};

/// Every number below an attribute.
template <class T>
void each_number(const std::string& name, T& value, const auto& act) {
  if constexpr (std::is_same_v<T, int64_t>) {
    act(name, value);
  } else if constexpr (std::is_same_v<T, Pair>) {
    act(name + ".h", value.h), act(name + ".w", value.w);
  } else if constexpr (std::is_same_v<T, Pads>) {
    act(name + ".top", value.top), act(name + ".left", value.left), act(name + ".bottom", value.bottom);
    act(name + ".right", value.right);
  } else if constexpr (std::is_base_of_v<Shape, T>) {
    for (size_t i = 0; i < value.size(); ++i) act(name + "[" + std::to_string(i) + "]", value[i]);
  } else if constexpr (std::is_same_v<T, Conv2d> || std::is_same_v<T, Linear>) {
    std::apply([&](const auto&... f) { (each_number(name + "." + std::string(f.name), value.*f.member, act), ...); }, T::fields);
  }
}

std::string text_of(Activation act) {
  const auto text = [](float x) { return std::isinf(x) ? (x < 0 ? "-inf" : "inf") : std::isnan(x) ? "nan" : std::to_string(x); };
  return text(act.lo) + ".." + text(act.hi);
}

void probe_all(const std::string& label, Op whole, const std::vector<Shape>& inputs, Accepted& accepted) {
  std::visit(
      [&](auto& op) {
        using T = std::decay_t<decltype(op)>;
        const auto each = [&](const auto& f) {
          const std::string name = label + "." + std::string(f.name);
          each_number(name, op.*f.member,
                      [&](const std::string& field, int64_t& place) { numbers(field, whole, place, inputs, accepted); });
          if constexpr (std::is_same_v<decltype(f.member), Activation T::*>) {
            const Activation before = op.*f.member;
            accepted[name];
            for (const Activation act :
                 {Activation{-1, 1}, {2, 1}, {1, 1}, {NAN, 1}, {0, NAN}, {INFINITY, INFINITY}, {-INFINITY, 3}}) {
              op.*f.member = act;
              probe(name, whole, inputs, text_of(act), accepted);
            }
            op.*f.member = before;
          }
          const auto reals = [&](const std::string& field, auto& place) {
            const auto before = place;
            accepted[field];
            for (const auto& [text, v] : kReals) {
              place = v;
              probe(field, whole, inputs, text, accepted);
            }
            place = before;
          };
          constexpr bool optional = std::is_same_v<decltype(f.member), std::optional<double> T::*>;
          if constexpr (std::is_same_v<decltype(f.member), double T::*> || optional) reals(name, op.*f.member);
          if constexpr (requires { (*(op.*f.member)).fields; }) {  // numbers of a structure that may be missing
            const auto before = op.*f.member;
            auto& own = (op.*f.member).emplace(before.value_or(std::decay_t<decltype(*before)>{}));
            std::apply([&](const auto&... part) { (reals(name + "." + std::string(part.name), own.*part.member), ...); },
                       own.fields);
            op.*f.member = before;
          }
        };
        std::apply([&](const auto&... f) { (each(f), ...); }, T::fields);
      },
      whole);
  const bool none = std::ranges::none_of(accepted, [&](const auto& entry) { return entry.first.find(label + ".") == 0; });
  if (none) probe(label + ".", whole, inputs, "no numbers", accepted);
}

}  // namespace

TEST_CASE("what every attribute of every operator accepts is what was agreed to") {
  Accepted accepted;
  const Shape picture{2, 6, 5, 4};
  probe_all("input", Input{picture}, {}, accepted);
  probe_all("conv2d", Conv2d{.in = 4, .out = 6}, {picture}, accepted);
  probe_all("padded conv2d", Conv2d{.in = 4, .out = 4, .stride = {2, 2}, .padding = {1, 1, 1, 1}, .groups = 2}, {picture},
            accepted);
  probe_all("conv_bn2d", ConvBn2d{.conv = {.in = 4, .out = 6, .bias = false}}, {picture}, accepted);
  probe_all("linear", Linear{4, 3}, {{5, 4}}, accepted);
  probe_all("linear_bn", LinearBn{.linear = {4, 3, false}}, {{5, 4}}, accepted);
  probe_all("prelu", PRelu{4}, {picture}, accepted);
  probe_all("batch_norm", BatchNorm{4}, {picture}, accepted);
  probe_all("unary", Unary{}, {picture}, accepted);
  for (const UnaryFn fn : {UnaryFn::clip, UnaryFn::leaky_relu, UnaryFn::celu, UnaryFn::softplus, UnaryFn::sigmoid})
    probe_all(std::string(kEnumNames<UnaryFn>[static_cast<size_t>(fn)]), Unary{fn}, {picture}, accepted);
  probe_all("binary", Binary{}, {picture, picture}, accepted);
  probe_all("concat", Concat{3}, {picture, picture}, accepted);
  for (const auto& [name, kind] : {std::pair{"max", Pool::max}, {"average", Pool::average}, {"adaptive", Pool::adaptive_average}})
    probe_all(std::string(name) + " pool2d", Pool2d{.kind = kind, .kernel = {3, 3}, .padding = {1, 1, 1, 1}}, {picture}, accepted);
  probe_all("reshape", Reshape{{0, -1, 2}}, {picture}, accepted);
  probe_all("transpose", Transpose{{0, 3, 1, 2}}, {picture}, accepted);
  probe_all("dropout", Dropout{}, {picture}, accepted);
  probe_all("conv_transpose2d", ConvTranspose2d{.in = 4, .out = 6, .stride = {2, 1}, .padding = {1, 0, 1, 2}}, {{2, 3, 4, 4}},
            accepted);
  probe_all("layer_norm", LayerNorm{4}, {picture}, accepted);
  probe_all("group_norm", GroupNorm{2, 4}, {picture}, accepted);
  probe_all("rms_norm", RMSNorm{4}, {picture}, accepted);
  probe_all("l2_normalize", L2Normalize{}, {picture}, accepted);
  probe_all("softmax", Softmax{}, {picture}, accepted);
  probe_all("slice", Slice{{1, 2}, {1, 0}, {4, 5}, {2, 1}}, {picture}, accepted);
  probe_all("squeeze", Squeeze{{0}}, {{1, 6, 5, 4}}, accepted);
  probe_all("unsqueeze", Unsqueeze{{1}}, {{6, 5}}, accepted);
  probe_all("expand", Expand{{3, 6, 5}}, {{1, 5}}, accepted);
  probe_all("depth_to_space", DepthToSpace{2}, {picture}, accepted);
  probe_all("space_to_depth", SpaceToDepth{2}, {{1, 6, 4, 3}}, accepted);
  probe_all("channel_shuffle", ChannelShuffle{2}, {picture}, accepted);
  probe_all("pad", Pad{{0, 1, 0, 0}, {0, 0, 2, 0}}, {{2, 3, 4, 5}}, accepted);
  probe_all("flip", Flip{{1}}, {picture}, accepted);
  probe_all("roll", Roll{{1}, {2}}, {picture}, accepted);
  probe_all("gather", Gather{1, {2, 0}}, {picture}, accepted);
  probe_all("tile", Tile{{1, 2}}, {{2, 3}}, accepted);
  probe_all("resize_nearest", ResizeNearest{{4, 4}}, {picture}, accepted);
  probe_all("lp_pool2d", LpPool2d{.kernel = {3, 3}, .padding = {1, 1, 1, 1}}, {picture}, accepted);
  probe_all("resize_linear", ResizeLinear{{4, 4}}, {picture}, accepted);
  probe_all("scaled resize_nearest", ResizeNearest{{0, 0}, {}, {}, Scale{2, 0.5}}, {picture}, accepted);
  probe_all("cropped resize_linear", ResizeLinear{{4, 0}, Coordinates::tf_crop_and_resize, Scale{2, 1}, Region{}}, {picture},
            accepted);
  probe_all("custom", Custom{std::make_shared<const octet::testing::Scaled>(0.5)}, {picture}, accepted);
  probe_all("where", Where{}, {picture, picture, picture}, accepted);
  probe_all("arg_reduce", ArgReduce{}, {picture}, accepted);
  probe_all("topk", TopK{}, {picture}, accepted);
  probe_all("constant", Constant{{2, 3}}, {}, accepted);
  probe_all("embedding", Embedding{5, 3}, {{2, 4}}, accepted);
  probe_all("matmul", MatMul{}, {{2, 3, 4, 4}, {1, 4, 4}}, accepted);
  probe_all("reduce", Reduce{ReduceFn::mean, {1, 2}}, {picture}, accepted);
  probe_all("split", Split{3, {1, 3}}, {picture}, accepted);
  CHECK(accepted.size() > 80);
  for (const octet::testing::OperatorCase& o : octet::testing::every_operator()) {
    const std::string name(name_of(o.op));
    INFO(name);
    CHECK(std::ranges::any_of(accepted, [&](const auto& entry) { return entry.first.find(name + ".") != std::string::npos; }));
  }

  std::string now;
  for (const auto& [field, values] : accepted) now += field + " =" + (values.empty() ? " nothing" : values) + "\n";
  if (const char* file = std::getenv("OCTET_WRITE_ATTRIBUTES")) write_file(file, std::as_bytes(std::span(now)));
  const Bytes stored = read_file(std::string(std::getenv("OCTET_TEST_DATA")) + "/accepted_attributes.txt", 1 << 20);
  const std::string before(reinterpret_cast<const char*>(stored.data()), stored.size());
  for (size_t a = 0, b = 0; a < now.size() || b < before.size();) {
    const size_t end = now.find('\n', a), last = before.find('\n', b);
    CHECK(now.substr(a, end - a) == before.substr(b, last - b));
    if (end == std::string::npos || last == std::string::npos) break;
    a = end + 1, b = last + 1;
  }
  CHECK(now.size() == before.size());
}

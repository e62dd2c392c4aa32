// SPDX-License-Identifier: Apache-2.0
// Operators that move values: what each shows against indices computed another way, floats and codes alike, derivatives by finite
// differences, and what they refuse.
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>

#include "engine/model.h"
#include "io/npy.h"
#include "tests/catch.h"
#include "tests/engine/gradient_check.h"
#include "tests/kernels/fills.h"
#include "tests/skip.h"

using namespace octet;

namespace {

Model one_view(const Op& op, const Shape& x) {
  Model m;
  m.add("x", Input{x});
  m.add("f", op);
  return m;
}

Tensor counted(const Shape& shape) {
  Tensor x(shape, DType::f32);
  for (int64_t i = 0; i < x.numel(); ++i) x.mutable_data<float>()[i] = static_cast<float>(i + 1);
  return x;
}

std::vector<float> shown_by(const Op& op, const Tensor& x) {
  const Tensor y = infer(one_view(op, x.shape()), {{x}})[0];
  return {y.data<float>().begin(), y.data<float>().end()};
}

Shape shape_of(const Op& op, const Shape& x) { return one_view(op, x).modules[1].nominal[0]; }

/// Element at these places of a counted tensor.
float at(const Shape& shape, const std::vector<int64_t>& place) {
  int64_t index = 0;
  for (size_t i = 0; i < shape.size(); ++i) index = index * shape[i] + place[i];
  return static_cast<float>(index + 1);
}

/// What element (i0, i1, …) of the output is, by a function of those places.
std::vector<float> expected(const Shape& output, const std::function<float(const std::vector<int64_t>&)>& value) {
  std::vector<float> all;
  std::vector<int64_t> place(output.size(), 0);
  for (int64_t n = numel(output); n > 0; --n) {
    all.push_back(value(place));
    for (size_t axis = output.size(); axis-- > 0;) {
      if (++place[axis] < output[axis]) break;
      place[axis] = 0;
    }
  }
  return all;
}

struct Sample {
  Op op;
  Shape x, y;
  std::function<float(const std::vector<int64_t>&)> value;
};

std::vector<Sample> samples() {
  const Shape x{2, 4, 6, 8};
  using P = const std::vector<int64_t>&;
  const auto reflected = [](int64_t i, int64_t n) { return i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i; };
  std::vector<Sample> all;
  all.push_back({Slice{{1, 3}, {1, -3}, {-1, 100}}, x, {2, 2, 6, 3}, [=](P p) { return at(x, {p[0], p[1] + 1, p[2], p[3] + 5}); }});
  all.push_back({Slice{{2, 3}, {1, 0}, {6, 8}, {2, 3}}, x, {2, 4, 3, 3}, [=](P p) {
                   return at(x, {p[0], p[1], 1 + 2 * p[2], 3 * p[3]});
                 }});
  all.push_back({Squeeze{{0, 2}}, {1, 4, 1, 3}, {4, 3}, [](P p) { return at({4, 3}, p); }});
  all.push_back({Unsqueeze{{0, 3}}, {4, 3, 2}, {1, 4, 3, 1, 2}, [](P p) { return at({4, 3, 2}, {p[1], p[2], p[4]}); }});
  all.push_back({Expand{{3, -1, 5, 2}}, {4, 1, 2}, {3, 4, 5, 2}, [](P p) { return at({4, 2}, {p[1], p[3]}); }});
  all.push_back({DepthToSpace{2}, x, {2, 8, 12, 2}, [=](P p) {
                   return at(x, {p[0], p[1] / 2, p[2] / 2, (p[1] % 2 * 2 + p[2] % 2) * 2 + p[3]});
                 }});
  all.push_back({DepthToSpace{2, true}, x, {2, 8, 12, 2}, [=](P p) {
                   return at(x, {p[0], p[1] / 2, p[2] / 2, p[3] * 4 + p[1] % 2 * 2 + p[2] % 2});
                 }});
  all.push_back({SpaceToDepth{2}, x, {2, 2, 3, 32}, [=](P p) {
                   return at(x, {p[0], p[1] * 2 + p[3] / 16, p[2] * 2 + p[3] / 8 % 2, p[3] % 8});
                 }});
  all.push_back({SpaceToDepth{2, true}, x, {2, 2, 3, 32}, [=](P p) {
                   return at(x, {p[0], p[1] * 2 + p[3] / 2 % 2, p[2] * 2 + p[3] % 2, p[3] / 4});
                 }});
  all.push_back({ChannelShuffle{2}, x, x, [=](P p) { return at(x, {p[0], p[1], p[2], p[3] % 2 * 4 + p[3] / 2}); }});
  all.push_back({Pad{{0, 1, 2, 0}, {0, 0, 1, 3}, PadMode::constant, 0}, x, {2, 5, 9, 11}, [=](P p) {
                   const bool inside = p[1] >= 1 && p[2] >= 2 && p[2] < 8 && p[3] < 8;
                   return inside ? at(x, {p[0], p[1] - 1, p[2] - 2, p[3]}) : 0.0F;
                 }});
  all.push_back({Pad{{0, 2, 0, 3}, {0, 3, 1, 0}, PadMode::reflect}, x, {2, 9, 7, 11}, [=](P p) {
                   return at(x, {p[0], reflected(p[1] - 2, 4), reflected(p[2], 6), reflected(p[3] - 3, 8)});
                 }});
  all.push_back({Pad{{0, 2, 0, 0}, {0, 3, 9, 0}, PadMode::replicate}, x, {2, 9, 15, 8}, [=](P p) {
                   return at(x, {p[0], std::clamp<int64_t>(p[1] - 2, 0, 3), std::min<int64_t>(p[2], 5), p[3]});
                 }});
  all.push_back({Pad{{0, 2, 0, 0}, {0, 4, 0, 1}, PadMode::circular}, x, {2, 10, 6, 9}, [=](P p) {
                   return at(x, {p[0], (p[1] + 2) % 4, p[2], p[3] % 8});
                 }});
  all.push_back({Pad{{0, -1, 0, 0}, {0, 0, -2, 0}}, x, {2, 3, 4, 8}, [=](P p) { return at(x, {p[0], p[1] + 1, p[2], p[3]}); }});
  all.push_back({Flip{{1, 3}}, x, x, [=](P p) { return at(x, {p[0], 3 - p[1], p[2], 7 - p[3]}); }});
  all.push_back({Roll{{2, 3}, {2, -3}}, x, x, [=](P p) { return at(x, {p[0], p[1], (p[2] + 4) % 6, (p[3] + 3) % 8}); }});
  const std::vector<int64_t> chosen{5, 0, 0, 7, 7};
  all.push_back({Gather{3, {5, 0, 0, -1, 7}}, x, {2, 4, 6, 5}, [=](P p) {
                   return at(x, {p[0], p[1], p[2], chosen[static_cast<size_t>(p[3])]});
                 }});
  all.push_back({Tile{{1, 2, 1, 3}}, x, {2, 8, 6, 24}, [=](P p) { return at(x, {p[0], p[1] % 4, p[2], p[3] % 8}); }});
  all.push_back({ResizeNearest{{8, 9}}, x, {2, 8, 9, 8}, [=](P p) { return at(x, {p[0], p[1] / 2, p[2] * 2 / 3, p[3]}); }});
  all.push_back({ResizeNearest{{2, 3}, Coordinates::half_pixel}, x, {2, 2, 3, 8}, [=](P p) {
                   return at(x, {p[0], p[1] * 2, p[2] * 2, p[3]});
                 }});
  return all;
}

}  // namespace

TEST_CASE("every operator that moves values shows what its indices say, floats and codes in every rounding") {
  for (const Sample& s : samples()) {
    const Tensor x = counted(s.x);
    INFO(name_of(s.op));
    REQUIRE(shape_of(s.op, s.x) == s.y);
    REQUIRE(shown_by(s.op, x) == expected(s.y, s.value));
    for (const Rounding rounding : octet::testing::kRoundings)
      for (const bool i8 : {false, true}) {
        // Codes that count on modulo 256; a constant 0 is the zero point.
        const QParams q{{0.5F}, {i8 ? -3 : 77}, -1, 0, i8 ? -128 : 0, i8 ? 127 : 255};
        Model m = one_view(s.op, s.x);
        m.rounding = rounding;
        m.modules[0].out_q = {q}, m.modules[1].out_q = {q};
        REQUIRE(runs_quantized(m, 1));
        Tensor codes = Tensor(s.x, code_dtype(q)).with(q);
        for (int64_t i = 0; i < codes.numel(); ++i) static_cast<uint8_t*>(codes.mutable_raw())[i] = static_cast<uint8_t>(i + 1);
        const Tensor got = infer(m, {{codes}})[0];
        REQUIRE((got.shape() == s.y && got.qparams() == q));
        const std::vector<float> want = expected(s.y, s.value);
        const auto* bytes = static_cast<const uint8_t*>(got.raw());
        for (size_t i = 0; i < want.size(); ++i) {
          const auto code =
              want[i] == 0 ? static_cast<uint8_t>(q.zero_point[0]) : static_cast<uint8_t>(static_cast<int64_t>(want[i]));
          if (bytes[i] != code) REQUIRE(int{bytes[i]} == int{code});
        }
      }
  }
  CHECK(samples().size() == 21);
}

TEST_CASE("a constant that pads has the code of its value") {
  for (const Rounding rounding : octet::testing::kRoundings) {
    const QParams q{{0.5F}, {10}, -1, 0, -128, 127};
    Model m = one_view(Pad{{1}, {2}, PadMode::constant, -2.5}, {2});
    m.rounding = rounding;
    m.modules[0].out_q = {q}, m.modules[1].out_q = {q};
    const Tensor x = Tensor::of<int8_t>({2}, std::vector<int8_t>{1, 2}).with(q);
    const Tensor y = infer(m, {{x}})[0];
    CHECK(std::ranges::equal(y.data<int8_t>(), std::vector<int8_t>{5, 1, 2, 5, 5}));
  }
  CHECK(shown_by(Pad{{1}, {0}, PadMode::constant, -2.5}, counted({2})) == std::vector<float>{-2.5F, 1, 2});
}

TEST_CASE("derivatives of operators that move values are those of finite differences") {
  for (const Sample& s : samples()) {
    INFO(name_of(s.op));
    gradient_check::check_op(s.op, {s.x});
  }
}

TEST_CASE("operators that move values refuse what they cannot show, by name") {
  const Shape x{2, 3, 4, 8};
  const std::pair<Op, const char*> wrong[] = {
      {Slice{{4}, {0}, {1}}, "f: axis 4 of 4 axes"},
      {Slice{{1, 1}, {0, 0}, {1, 1}}, "f: axis 1 is named twice"},
      {Slice{{1}, {0, 1}, {1}}, "f: 1 axes with 2 starts, 1 ends and 0 steps"},
      {Slice{{1}, {0}, {1}, {0}}, "f: step 0 along axis 1"},
      {Squeeze{{1}}, "f: axis 1 of shape [2, 3, 4, 8] is not 1 long"},
      {Unsqueeze{{0, 1, 2}}, "f: an output of 7 axes, at most six"},
      {Expand{{2, 3, 5, 8}}, "f: shape [2, 3, 4, 8] cannot be expanded to [2, 3, 5, 8]"},
      {Expand{{4, 8}}, "f: shape [2, 3, 4, 8] expanded to [4, 8]"},
      {DepthToSpace{3}, "f: blocks of 3x3 out of 8 channels"},
      {SpaceToDepth{2}, "f: blocks of 2x2 out of shape [2, 3, 4, 8]"},
      {ChannelShuffle{3}, "f: 3 groups of 8 channels"},
      {Pad{{0, 0, 0}, {0, 0, 0}}, "f: 3 and 3 paddings for shape [2, 3, 4, 8]"},
      {Pad{{0, 3, 0, 0}, {0, 0, 0, 0}, PadMode::reflect}, "f: reflected padding of 3 for axis 1 of shape [2, 3, 4, 8]"},
      {Pad{{0, -3, 0, 0}, {0, 0, 0, 0}}, "f: padding -3 and 0 leaves nothing of axis 1 of shape [2, 3, 4, 8]"},
      {Pad{{0, 0, 0, 0}, {0, 0, 0, 0}, PadMode::constant, NAN}, "f: padding with nan"},
      {Flip{{-1}}, "f: axis -1 of shape [2, 3, 4, 8]"},
      {Roll{{1}, {}}, "f: 1 axes with 0 shifts"},
      {Gather{1, {3}}, "f: index 3 into axis 1 of shape [2, 3, 4, 8]"},
      {Tile{{1, 0, 1, 1}}, "f: axis 1 of shape [2, 3, 4, 8] repeated 0 times"},
      {ResizeNearest{{0, 3}}, "f: 3x4 resized to 0x3"}};
  for (const auto& [op, message] : wrong) CHECK_THROWS_WITH(one_view(op, x), message);
}

TEST_CASE("padding and nearest resizing give TensorFlow Lite's bytes") {
  struct Row {
    const char* file;
    Op op;
  };
  // The files' samples lie along a first axis of their own.
  const Row rows[] = {{"resize_nearest_i8_0", ResizeNearest{{8, 10}}},
                      {"resize_nearest_i8_1", ResizeNearest{{7, 9}, Coordinates::align_corners, NearestMode::round_prefer_ceil}},
                      {"resize_nearest_i8_2", ResizeNearest{{4, 9}, Coordinates::align_corners, NearestMode::round_prefer_ceil}}};
  const char* root = std::getenv("OCTET_MODELS");
  if (root == nullptr || !std::filesystem::exists(root)) OCTET_SKIP_CASE("no models with golden outputs");
  const QParams q{{0.05000000074505806F}, {-3}, -1, 0, -128, 127};
  for (const Row& row : rows) {
    const std::string path = std::string(root) + "/tflite/made/" + row.file;
    const Tensor want = load_npy(path + ".golden.npy"), all = load_npy(path + ".inputs.npy");
    const Shape& s = all.shape();
    const Tensor x = all.reshape({s[0] * s[1], s[2], s[3], s[4]}).with(q);
    Model m = one_view(row.op, x.shape());
    m.rounding = Rounding::fixed_double;
    m.modules[0].out_q = {q}, m.modules[1].out_q = {q};
    const Tensor got = infer(m, {{x}})[0];
    INFO(row.file);
    REQUIRE(got.numel() == want.numel());
    CHECK(std::ranges::equal(got.data<int8_t>(), want.data<int8_t>()));
  }
}

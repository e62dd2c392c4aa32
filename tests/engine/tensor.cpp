// SPDX-License-Identifier: Apache-2.0
// Tensors are values: copies do not see each other's writes, wrong use is refused with both sides named.
#include "engine/tensor.h"

#include "engine/model.h"
#include "tests/catch.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

Tensor counting(Shape shape) {
  Tensor t(std::move(shape), DType::f32);
  float next = 0;
  for (float& v : t.mutable_data<float>()) v = next++;
  return t;
}

}  // namespace

TEST_CASE("copies share storage until one of them is written") {
  const Tensor a = counting({2, 3});
  Tensor b = a;
  CHECK(b.raw() == a.raw());
  b.mutable_data<float>()[0] = 9;
  CHECK(b.raw() != a.raw());
  CHECK(a.data<float>()[0] == 0);
  CHECK(b.data<float>()[1] == 1);
  const void* own = b.raw();
  b.mutable_data<float>()[1] = 8;
  CHECK(b.raw() == own);
}

TEST_CASE("reading a tensor as another dtype is refused") {
  const Tensor t = Tensor::zeros({2}, DType::u8);
  CHECK_THROWS_WITH(t.data<float>(), "tensor of u8 read as f32");
}

TEST_CASE("shapes are checked before memory is allocated") {
  CHECK_THROWS_AS(Tensor(Shape{int64_t{1} << 40, int64_t{1} << 40}, DType::f32), Error);
  CHECK_THROWS_AS(Tensor(Shape{int64_t{1} << 62}, DType::f64), Error);
  CHECK_THROWS_AS(Tensor(Shape{2, -1}, DType::f32), Error);
  CHECK_THROWS_WITH(counting({2, 3}).reshape({4, 2}), "reshape: [2, 3] does not fit [4, 2]");
  CHECK(counting({2, 3}).reshape({-1, 2}).shape() == Shape{3, 2});
  CHECK(Tensor(Shape{0, 3}, DType::f32).numel() == 0);
}

TEST_CASE("conversion to integers saturates") {
  const Tensor x = Tensor::of<float>({4}, std::vector<float>{-5, 300, NAN, 7.9F});
  const Tensor q = x.to(DType::u8);
  CHECK(std::vector<int>(q.data<uint8_t>().begin(), q.data<uint8_t>().end()) == std::vector<int>{0, 255, 0, 7});
  CHECK(int{Tensor::full({1}, 300, DType::u8).data<uint8_t>()[0]} == 255);
  CHECK(Tensor::full({1}, -3e9, DType::i32).item() == -2147483648.0);
  for (const DType dtype : {DType::u8, DType::i8, DType::i16, DType::i32}) CHECK(Tensor::full({1}, NAN, dtype).item() == 0);
}

TEST_CASE("channel-first and channel-last copies are inverse") {
  const Tensor nchw = counting({2, 3, 4, 5}), nhwc = nhwc_from_nchw(nchw);
  CHECK(nhwc.shape() == Shape{2, 4, 5, 3});
  // element n=1, c=2, h=3, w=4
  CHECK(nhwc.data<float>()[((1 * 4 + 3) * 5 + 4) * 3 + 2] == nchw.data<float>()[((1 * 3 + 2) * 4 + 3) * 5 + 4]);
  CHECK(std::ranges::equal(nchw_from_nhwc(nhwc).data<float>(), nchw.data<float>()));
  for (const Shape& s : {Shape{}, Shape{3}, Shape{2, 3, 4}, Shape{1, 1, 1, 1, 1}}) {
    CHECK_THROWS_WITH(nchw_from_nhwc(counting(s)), Catch::Matchers::Contains("needs four axes, got " + to_string(s)));
    CHECK_THROWS_WITH(nhwc_from_nchw(counting(s)), Catch::Matchers::Contains("needs four axes, got " + to_string(s)));
  }
}

TEST_CASE("concat joins along any axis and rows takes them apart") {
  const std::vector<Tensor> parts{counting({2, 1, 2}), counting({2, 2, 2})};
  const Tensor joined = concat(parts, 1);
  CHECK(joined.shape() == Shape{2, 3, 2});
  CHECK(std::vector<float>(joined.data<float>().begin(), joined.data<float>().end()) ==
        std::vector<float>{0, 1, 0, 1, 2, 3, 2, 3, 4, 5, 6, 7});
  CHECK(slice_rows(joined, 1, 2).data<float>()[0] == 2);
  CHECK_THROWS_AS(concat(std::vector<Tensor>{counting({2, 2}), counting({3, 3})}, 0), Error);
  const Tensor codes = Tensor::full({2, 2}, 3, DType::u8);
  const QParams q{{1}, {0}, -1, 0, 0, 255}, other{{2}, {0}, -1, 0, 0, 255};
  CHECK(concat(std::vector<Tensor>{codes.with(q), codes.with(q)}, 0).qparams() == q);
  for (const Tensor& second : {codes.with(other), codes})
    CHECK_THROWS_WITH(concat(std::vector<Tensor>{codes.with(q), second}, 0), Contains("quantization parameters differ"));
  const QParams rows_apart{{1, 2}, {0, 0}, 0, 0, 0, 255};
  CHECK(codes.with(q).reshape({4}).qparams() == q);
  CHECK_THROWS_WITH(codes.with(rows_apart).reshape({4}), Contains("per-channel"));
  CHECK(!slice_rows(codes.with(rows_apart), 0, 1).qparams());
  CHECK(slice_rows(codes.with(q), 0, 1).qparams() == q);
}

TEST_CASE("quantize rounds ties to even, adds the zero point after, saturates infinities and sends NaN to the zero point") {
  const std::vector<float> x{.5F, 1.5F, 2.5F, -.5F, -1.5F, INFINITY, -INFINITY, NAN, 1e30F};
  const Tensor t = Tensor::of<float>({9}, x);
  const Tensor q = quantize(t, {{1}, {10}, -1, 0, 0, 255});
  CHECK(std::vector<int>(q.data<uint8_t>().begin(), q.data<uint8_t>().end()) ==
        std::vector<int>{10, 12, 12, 10, 8, 255, 0, 10, 255});
  const Tensor half = quantize(t, {{1}, {10}, -1, 0, 0, 127});
  CHECK(int{half.data<uint8_t>()[5]} == 127);
  const Tensor s = quantize(t, {{1}, {-118}, -1, 0, -128, 127});
  CHECK(s.dtype() == DType::i8);
  for (int i = 0; i < 9; ++i) CHECK(int{s.data<int8_t>()[i]} == int{q.data<uint8_t>()[i]} - 128);
  CHECK(dequantize(q).data<float>()[0] == 0);
}

TEST_CASE("per-channel codes use each channel's own scale") {
  const Tensor x = Tensor::of<float>({2, 2, 2}, std::vector<float>{1, 2, 3, 4, 5, 6, 7, 8});
  const Tensor q = quantize(x, {{1, 2}, {0, 1}, 1, 0, -128, 127});
  CHECK(std::vector<int>(q.data<int8_t>().begin(), q.data<int8_t>().end()) == std::vector<int>{1, 2, 3, 3, 5, 6, 5, 5});
}

TEST_CASE("impossible quantization parameters are refused") {
  const Tensor x = counting({2});
  CHECK_THROWS_AS(quantize(x, {{0}, {0}, -1, 0, 0, 255}), Error);
  CHECK_THROWS_AS(quantize(x, {{-1}, {0}, -1, 0, 0, 255}), Error);
  CHECK_THROWS_AS(quantize(x, {{NAN}, {0}, -1, 0, 0, 255}), Error);
  CHECK_THROWS_AS(quantize(x, {{1e-40F}, {0}, -1, 0, 0, 255}), Error);
  CHECK_THROWS_AS(quantize(x, {{1}, {256}, -1, 0, 0, 255}), Error);
  CHECK_THROWS_AS(quantize(x, {{1}, {0}, -1, 0, 5, 4}), Error);
  CHECK_THROWS_AS(dequantize(Tensor::zeros({2}, DType::u8)), Error);
}

// SPDX-License-Identifier: Apache-2.0
// .npy files: round trips, headers as NumPy writes them, truncation at every byte and headers that lie.
#include "io/npy.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "tests/catch.h"
#include "tests/io/counting.h"
#include "tests/io/temp_dir.h"
#include "tests/same.h"

using namespace octet;
using octet::testing::counting;
using namespace octet::testing;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

/// A file with this header text and this many zero bytes of data.
Bytes npy(const std::string& header, size_t data_bytes, int major = 1, int minor = 0) {
  std::string text = "\x93NUMPY";
  text += {static_cast<char>(major), static_cast<char>(minor), static_cast<char>(header.size() & 0xff),
           static_cast<char>(header.size() >> 8)};
  if (major >= 2) text += std::string(2, '\0');
  Bytes b = bytes_of(text + header);
  b.resize(b.size() + data_bytes);
  return b;
}

std::string dict(const std::string& descr, const std::string& fortran, const std::string& shape) {
  return "{'descr': '" + descr + "', 'fortran_order': " + fortran + ", 'shape': " + shape + ", }\n";
}

std::string npy_error(const Bytes& b) {
  return error_of([&] { parse_npy(b, "x.npy"); });
}

}  // namespace

TEST_CASE("every dtype and rank round-trips through npy", "[io]") {
  const TempDir dir;
  for (const DType dtype : {DType::f32, DType::f64, DType::u8, DType::i8, DType::i16, DType::i32})
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 0}, Shape{2, 3, 4}, Shape{1, 2, 1, 2, 1, 2, 1, 2}}) {
      const Tensor t = counting(shape, dtype);
      save_npy(dir / "t.npy", t);
      CHECK(same(load_npy(dir / "t.npy"), t));
      CHECK(npy_bytes(t).size() % 64 == t.bytes() % 64);
    }
}

TEST_CASE("the bytes are those NumPy writes", "[io]") {
  // numpy.save of numpy.array([[1, 2, 3]], 'i2')
  std::string expected = std::string("\x93NUMPY\1\0v\0", 10) + "{'descr': '<i2', 'fortran_order': False, 'shape': (1, 3), }";
  expected.resize(127, ' ');
  expected += std::string("\n\1\0\2\0\3\0", 7);
  CHECK(npy_bytes(Tensor::of<int16_t>({1, 3}, std::vector<int16_t>{1, 2, 3})) == bytes_of(expected));
  CHECK(same(parse_npy(npy("{'descr':'<f4','fortran_order':False,'shape':(2,)}", 8, 2), "x"), Tensor::zeros({2})));
}

TEST_CASE("an npy file truncated anywhere or with one byte more is refused", "[io]") {
  for (Bytes good : {npy_bytes(counting({2, 3}, DType::f32)), npy(dict("|u1", "False", "(3,)"), 3, 2)}) {
    for (size_t length = 0; length < good.size(); ++length)
      CHECK_THAT(npy_error({good.begin(), good.begin() + static_cast<ptrdiff_t>(length)}), StartsWith("x.npy: "));
    good.push_back(std::byte{0});
    CHECK_THAT(npy_error(good), Contains("bytes of data"));
  }
}

TEST_CASE("a bit flip in an npy file never does worse than Error or another tensor", "[io]") {
  // The format has no checksum: flips in the data are not noticed.
  const Bytes good = npy_bytes(counting({2, 3}, DType::i8));
  CHECK(accepted_damage(good, [](std::span<const std::byte> b) { parse_npy(b, "x.npy"); }).size() < good.size() * 8);
}

TEST_CASE("npy files of another kind are refused by name", "[io]") {
  for (const char* descr : {"<c8", "|O", "|S3", "<U3", "<f16", "<M8[s]", "<b1", "|f4", "=f4", "f4", ">u1", "", "<"})
    CHECK_THAT(npy_error(npy(dict(descr, "False", "(1,)"), 4)), Contains(std::string("'") + descr + "' is not supported"));
  CHECK_THAT(npy_error(npy("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,), }", 4)), Contains("structure"));
  CHECK_THAT(npy_error(npy(dict("<f4", "False", "(1,)"), 4, 3)), Contains("version 3.0"));
  CHECK_THAT(npy_error(npy(dict("<f4", "False", "(1,)"), 4, 1, 1)), Contains("version 1.1"));
  CHECK_THAT(npy_error(bytes_of("PK\3\4 this is an npz")), Contains("not an npy file"));
}

TEST_CASE("npy headers that lie about sizes are refused before anything is allocated", "[io]") {
  CHECK_THAT(npy_error(npy(dict("<f4", "False", "(1152921504606846976,)"), 4)), Contains("too large") || Contains("needs"));
  CHECK_THAT(npy_error(npy(dict("<f8", "False", "(4611686018427387904, 4)"), 4)), Contains("too large"));
  CHECK_THAT(npy_error(npy(dict("<f4", "False", "(99999999999999999999,)"), 4)), Contains("expected a dimension"));
  CHECK_THAT(npy_error(npy(dict("<f4", "False", "(-1,)"), 4)), Contains("expected a dimension"));
  CHECK_THAT(npy_error(npy(dict("<f4", "False", "(1,1,1,1,1,1,1,1,1)"), 4)), Contains("more than 8 axes"));
  CHECK_THAT(npy_error(npy("{'descr': '<f4', 'descr': '<f4'}", 4)), Contains("repeated key 'descr'"));
  CHECK_THAT(npy_error(npy("{'descr': '<f4'}", 4)), Contains("lacks"));
  CHECK_THAT(npy_error(npy(dict("<f4", "False", "(1,)") + "x", 4)), Contains("after its dictionary"));
  Bytes long_header = npy(dict("<f4", "False", "(1,)"), 4, 2);
  long_header[11] = std::byte{0x7f};
  CHECK_THAT(npy_error(long_header), Contains("claims"));
}

TEST_CASE("every integer type, bool and floats without a fraction are labels", "[io]") {
  const auto file = [](const std::string& descr, const auto& values) {
    Bytes b = npy(dict(descr, "False", "(" + std::to_string(values.size()) + ",)"), values.size() * sizeof(values[0]));
    std::memcpy(b.data() + b.size() - values.size() * sizeof(values[0]), values.data(), values.size() * sizeof(values[0]));
    return b;
  };
  const auto holds = [&](const std::string& descr, const auto& values) {
    INFO(descr);
    const Tensor got = parse_npy_integers(file(descr, values), "y.npy"), real = parse_npy_floats(file(descr, values), "y.npy");
    REQUIRE((got.dtype() == DType::i32 && got.numel() == static_cast<int64_t>(values.size())));
    for (size_t i = 0; i < values.size(); ++i) {
      CHECK(got.data<int32_t>()[i] == static_cast<int32_t>(values[i]));
      CHECK(real.data<float>()[i] == static_cast<float>(values[i]));
    }
  };
  holds("|b1", std::array<uint8_t, 2>{0, 1});
  holds("|u1", std::array<uint8_t, 3>{0, 9, 255});
  holds("|i1", std::array<int8_t, 2>{-128, 127});
  holds("<u2", std::array<uint16_t, 2>{0, 65535});
  holds("<i2", std::array<int16_t, 2>{-32768, 32767});
  holds("<u4", std::array<uint32_t, 2>{3, 2147483647});
  holds("<i4", std::array<int32_t, 2>{INT32_MIN, INT32_MAX});
  holds("<u8", std::array<uint64_t, 2>{5, 2147483647});
  holds("<i8", std::array<int64_t, 3>{0, INT32_MIN, INT32_MAX});
  holds("<f4", std::array<float, 3>{-0.0F, 9, -16777216});
  holds("<f8", std::array<double, 3>{0, -2147483648.0, 2147483647.0});
  const auto refused = [&](const std::string& descr, const auto& values, const std::string& words) {
    CHECK_THAT(error_of([&] { parse_npy_integers(file(descr, values), "y.npy"); }),
               StartsWith("y.npy: element 1 is") && Contains(words));
  };
  refused("<i8", std::array<int64_t, 2>{0, int64_t{1} << 31}, "2147483648, which does not fit");
  refused("<u8", std::array<uint64_t, 2>{0, UINT64_MAX}, "18446744073709551615, which does not fit");
  refused("<u4", std::array<uint32_t, 2>{0, 1U << 31}, "does not fit");
  refused("<f4", std::array<float, 2>{1, 0.5F}, "0.5, expected an integer");
  refused("<f4", std::array<float, 2>{1, NAN}, "nan, expected an integer");
  refused("<f8", std::array<double, 2>{1, INFINITY}, "inf, which does not fit");
  refused("<f8", std::array<double, 2>{1, 2147483648.0}, "does not fit");
  CHECK_THAT(error_of([&] {
               parse_npy_floats(file("<f8", std::array<double, 2>{1, 1e39}), "x.npy");
             }),
             StartsWith("x.npy: element 1 is") && Contains("float32 cannot hold"));
  holds("<f2", std::array<uint16_t, 1>{0});
}

TEST_CASE("every type of NumPy's is held as itself or wider, in either byte order", "[io]") {
  const auto read = []<class T>(const std::string& descr, std::vector<uint8_t> bytes, const std::vector<T>& want) {
    for (const bool swapped : {false, true}) {
      INFO(descr << " swapped " << swapped);
      const size_t size = bytes.size() / want.size();
      Bytes b = npy(dict((size == 1 ? "|"
                          : swapped ? ">"
                                    : "<") +
                             descr,
                         "False", "(" + std::to_string(want.size()) + ",)"),
                    bytes.size());
      if (swapped)
        for (size_t i = 0; i < bytes.size(); i += size)
          std::reverse(bytes.begin() + static_cast<ptrdiff_t>(i), bytes.begin() + static_cast<ptrdiff_t>(i + size));
      std::memcpy(b.data() + b.size() - bytes.size(), bytes.data(), bytes.size());
      CHECK(same(parse_npy(b, "x.npy"), Tensor::of<T>({static_cast<int64_t>(want.size())}, want)));
    }
  };
  read("f2", {0, 0x3c, 1, 0}, std::vector<float>{1, 0x1p-24F});
  read("f4", {0, 0, 0x80, 0x3f}, std::vector<float>{1});
  read("f8", {0, 0, 0, 0, 0, 0, 0xf0, 0x3f}, std::vector<double>{1});
  read("u1", {200}, std::vector<uint8_t>{200});
  read("i1", {200}, std::vector<int8_t>{-56});
  read("b1", {1, 0}, std::vector<uint8_t>{1, 0});
  read("u2", {1, 2}, std::vector<int32_t>{513});
  read("i2", {1, 0xff}, std::vector<int16_t>{-255});
  read("u4", {1, 0, 2, 0}, std::vector<int32_t>{131073});
  read("i4", {1, 0, 0, 0xff}, std::vector<int32_t>{-16777215});
  read("u8", {1, 2, 0, 0, 0, 0, 0, 0}, std::vector<int32_t>{513});
  read("i8", {1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, std::vector<int32_t>{-255});
  Bytes far = npy(dict("<i8", "False", "(2,)"), 16);
  far[far.size() - 4] = std::byte{1};
  CHECK_THAT(npy_error(far), StartsWith("x.npy: element 1 is 4294967296, which does not fit 32 bits"));
  Bytes truth = npy(dict("|b1", "False", "(2,)"), 2);
  truth.back() = std::byte{3};
  CHECK_THAT(npy_error(truth), StartsWith("x.npy: element 1 is 3, a truth is 0 or 1"));
}

TEST_CASE("arrays in Fortran order are transposed to where their elements are", "[io]") {
  Bytes b = npy(dict("|u1", "True", "(2, 3)"), 6);
  for (size_t i = 0; i < 6; ++i) b[b.size() - 6 + i] = static_cast<std::byte>(i);
  const std::vector<uint8_t> want{0, 2, 4, 1, 3, 5};
  CHECK(same(parse_npy(b, "x"), Tensor::of<uint8_t>({2, 3}, want)));
  CHECK(same(parse_npy_integers(b, "x"), Tensor::of<uint8_t>({2, 3}, want).to(DType::i32)));
  CHECK(same(parse_npy_floats(b, "x"), Tensor::of<uint8_t>({2, 3}, want).to(DType::f32)));
  Bytes wide = npy(dict(">u2", "True", "(2, 2, 2)"), 16);
  for (size_t i = 0; i < 8; ++i) wide[wide.size() - 16 + 2 * i + 1] = static_cast<std::byte>(i);
  CHECK(same(parse_npy(wide, "x"), Tensor::of<int32_t>({2, 2, 2}, std::vector<int32_t>{0, 4, 2, 6, 1, 5, 3, 7})));
  CHECK(same(parse_npy(npy(dict("<f4", "True", "()"), 4), "x"), Tensor::zeros({})));
  CHECK(parse_npy(npy(dict("<f4", "True", "(3, 0, 2)"), 0), "x").shape() == Shape{3, 0, 2});
}

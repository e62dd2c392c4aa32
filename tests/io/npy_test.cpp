// SPDX-License-Identifier: Apache-2.0
// .npy files: round trips, headers as NumPy writes them, truncation at every byte and headers that lie.
#include "io/npy.h"

#include <cstring>

#include "tests/catch.h"
#include "tests/io/temp_dir.h"

using namespace octet;
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

Tensor counting(Shape shape, DType dtype) {
  Tensor t(std::move(shape), dtype);
  auto* bytes = static_cast<unsigned char*>(t.mutable_raw());
  for (size_t i = 0; i < t.bytes(); ++i) bytes[i] = static_cast<unsigned char>(i * 37 + 1);
  return t;
}

bool same(const Tensor& a, const Tensor& b) {
  return a.dtype() == b.dtype() && a.shape() == b.shape() && (a.bytes() == 0 || std::memcmp(a.raw(), b.raw(), a.bytes()) == 0);
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
  for (const char* descr : {">f4", "<f2", "<i8", "|b1", "<c8", "<u2", "|O", "|S3"})
    CHECK_THAT(npy_error(npy(dict(descr, "False", "(1,)"), 4)), Contains(std::string("'") + descr + "' is not supported"));
  CHECK_THAT(npy_error(npy(dict("<f4", "True", "(1, 1)"), 4)), Contains("Fortran order"));
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

// SPDX-License-Identifier: Apache-2.0
// The safetensors container: round trips, every truncation, every bit flip, and headers written to deceive.
#include "io/safetensors.h"

#include <cmath>
#include <cstring>

#include "tests/catch.h"
#include "tests/io/counting.h"
#include "tests/io/temp_dir.h"

using namespace octet;
using octet::testing::counting;
using namespace octet::testing;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

/// A file of another program: this header, this many zero bytes of data.
Bytes file(const std::string& header, size_t data_bytes) {
  const uint64_t length = header.size();
  Bytes b(8 + header.size() + data_bytes);
  std::memcpy(b.data(), &length, 8);
  std::memcpy(b.data() + 8, header.data(), header.size());
  return b;
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return '"' + name + "\":{\"dtype\":\"" + dtype + "\",\"shape\":" + shape + ",\"data_offsets\":" + offsets + "}";
}

std::string object(std::string_view entries) {
  std::string text = "{";
  text += entries;
  return text += '}';
}

std::string error(const Bytes& b) {
  return error_of([&] { parse_safetensors(b, "x.st"); });
}

std::string text_of(const Bytes& b) { return {reinterpret_cast<const char*>(b.data()), b.size()}; }

SafeTensors small() {
  SafeTensors s;
  s.tensors.emplace("a", Tensor::of<float>({2}, std::vector<float>{1.5f, -2}));
  s.tensors.emplace("b", Tensor::of<int8_t>({3}, std::vector<int8_t>{-1, 0, 1}));
  s.metadata = {{"note", "a \"quoted\" text"}};
  return s;
}

}  // namespace

TEST_CASE("tensors of every dtype and metadata round-trip through safetensors", "[io]") {
  const TempDir dir;
  SafeTensors s = small();
  for (const DType dtype : {DType::f32, DType::f64, DType::u8, DType::i8, DType::i16, DType::i32})
    for (const Shape& shape : {Shape{}, Shape{3}, Shape{2, 0}, Shape{3, 1, 3}})
      s.tensors.emplace(std::string(to_string(dtype)) + to_string(shape), counting(shape, dtype));
  save_safetensors(dir / "t", s);
  const SafeTensors back = load_safetensors(dir / "t");
  CHECK(back.notes.empty());
  CHECK(back.metadata == s.metadata);
  REQUIRE(back.tensors.size() == s.tensors.size());
  for (const auto& [name, t] : s.tensors) {
    INFO(name);
    const Tensor& b = back.tensors.at(name);
    REQUIRE(b.shape() == t.shape());
    REQUIRE(b.dtype() == t.dtype());
    CHECK((t.bytes() == 0 || std::memcmp(b.raw(), t.raw(), t.bytes()) == 0));
  }
  CHECK(parse_safetensors(safetensors_bytes({}, "empty"), "empty").tensors.empty());
}

TEST_CASE("a file is a function of its content, its header is padded to 8 and every tensor is aligned", "[io]") {
  SafeTensors s = small();
  s.tensors.emplace("a wide one", counting({1}, DType::f64));
  const std::string text = text_of(safetensors_bytes(s, "x"));
  CHECK(text == text_of(safetensors_bytes(s, "y")));
  uint64_t length = 0;
  std::memcpy(&length, text.data(), 8);
  CHECK(length % 8 == 0);
  CHECK_THAT(text, Contains("\"a wide one\":{\"data_offsets\":[0,8]"));  // widest first
  CHECK_THAT(text, Contains("\"a\":{\"data_offsets\":[8,16]"));
}

TEST_CASE("a safetensors file truncated anywhere or with any bit flipped is refused", "[io]") {
  CHECK(accepted_damage(safetensors_bytes(small(), "x"), [](auto b) { parse_safetensors(b, "x"); }) == std::vector<std::string>{});
}

TEST_CASE("a file without checksums loads with a note, one with only one of them does not", "[io]") {
  const SafeTensors s = parse_safetensors(file(object(entry("a", "F32", "[2]", "[0,8]")), 8), "x.st");
  CHECK(s.tensors.at("a").shape() == Shape{2});
  REQUIRE(s.notes.size() == 1);
  CHECK_THAT(s.notes[0], StartsWith("x.st: has no checksums"));
  for (const char* key : {"octet.crc32.data", "octet.crc32.header"})
    CHECK_THAT(error(file("{\"__metadata__\":{\"" + std::string(key) + "\":\"00000000\"}}", 0)), Contains("only one of"));
}

TEST_CASE("claims beyond the file are refused before anything is allocated", "[io]") {
  Bytes huge = file("{}", 0);
  huge[7] = std::byte{0x10};  // a header of 2^60 bytes
  CHECK_THAT(error(huge), StartsWith("x.st: header claims 1152921504606846978 bytes"));
  CHECK_THAT(error(file("{}" + std::string(kMaxSafeTensorsHeader, ' '), 0)), Contains("at most 16777216 are read"));
  CHECK_THAT(error(file(object(entry("a", "F32", "[1152921504606846976]", "[0,8]")), 8)), Contains("needs 4611686018427387904"));
  CHECK_THAT(error(file(object(entry("a", "F32", "[4611686018427387904,4611686018427387904]", "[0,8]")), 8)),
             Contains("too large"));
  // 2^62 * 4 bytes wraps to 0: the check must not.
  CHECK_THAT(error(file(object(entry("a", "F32", "[4611686018427387904]", "[0,0]")), 0)), Contains("too large"));
  CHECK_THAT(error(file(object(entry("a", "U8", "[9]", "[0,9]")), 8)), Contains("[0,9] do not lie in the 8 bytes"));
  CHECK_THAT(error(file(object(entry("a", "U8", "[0]", "[9,9]")), 8)), Contains("do not lie"));
  CHECK_THAT(error(file(object(entry("a", "U8", "[2]", "[4,2]")), 8)), Contains("do not lie"));
  CHECK_THAT(error(file(object(entry("a", "U8", "[18446744073709551615]", "[0,8]")), 8)), Contains("outside"));
  CHECK_THAT(error(file(object(entry("a", "U8", "[-8]", "[0,8]")), 8)), Contains("-8 is outside"));
  CHECK_THAT(error(file(object(entry("a", "U8", "[8.0]", "[0,8]")), 8)), Contains("expected an integer, got 8.0"));
  CHECK_THAT(error(file(object(entry("a", "U8", "[1,1,1,1,1,1,1,1,8]", "[0,8]")), 8)), Contains("9 axes"));
}

TEST_CASE("overlapping ranges, holes and bytes nobody owns are refused", "[io]") {
  const auto two = [](const char* a, const char* b, size_t data) {
    return error(file(object(entry("a", "U8", "[4]", a) + "," + entry("b", "U8", "[4]", b)), data));
  };
  CHECK(two("[0,4]", "[4,8]", 8).empty());
  CHECK(two("[4,8]", "[0,4]", 8).empty());
  CHECK_THAT(two("[0,4]", "[3,7]", 8), Contains("'b' begins at byte 3 of the data, expected 4"));
  CHECK_THAT(two("[0,4]", "[0,4]", 4), Contains("expected 4"));
  CHECK_THAT(two("[0,4]", "[5,9]", 9), Contains("'b' begins at byte 5 of the data, expected 4"));
  CHECK_THAT(two("[1,5]", "[5,9]", 9), Contains("'a' begins at byte 1 of the data, expected 0"));
  CHECK_THAT(two("[0,4]", "[4,8]", 10), Contains("2 bytes at the end belong to no tensor"));
}

TEST_CASE("headers that are not what they should be are refused by name", "[io]") {
  const std::string a = entry("a", "U8", "[4]", "[0,4]");
  CHECK_THAT(error(file(object(a + "," + a), 4)), Contains("the key 'a' twice"));
  CHECK_THAT(error(file("{\"__metadata__\":{\"k\":\"1\",\"\\u006b\":\"2\"}}", 0)), Contains("the key 'k' twice"));
  CHECK_THAT(error(file("{\"a\":" + std::string(100'000, '[') + std::string(100'000, ']') + "}", 0)), Contains("deeper than 4"));
  CHECK_THAT(error(file(std::string(100'000, '{'), 0)), Contains("not valid JSON"));
  CHECK_THAT(error(file(object(a) + std::string(1, '\0') + "x", 4)), Contains("zero byte"));
  CHECK_THAT(error(file(object(a) + " x", 4)), Contains("not valid JSON"));
  CHECK_THAT(error(file(std::string(" ") + object(a), 4)), Contains("does not start with '{'"));
  CHECK_THAT(error(file("", 4)), Contains("does not start with '{'"));
  CHECK_THAT(error(file("{\"\xff\":{}}", 0)), Contains("not valid JSON"));
  for (const char* dtype : {"F8_E4M3", "C64", "F4", "f32"})
    CHECK_THAT(error(file(object(entry("a", dtype, "[4]", "[0,4]")), 4)), Contains(std::string("dtype ") + dtype));
  CHECK_THAT(error(file(R"({"a":{"dtype":"U8","shape":[4]}})", 4)), Contains("tensor 'a': lacks 'data_offsets'"));
  CHECK_THAT(error(file(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4],"x":1}})", 4)), Contains("unknown key 'x'"));
  CHECK_THAT(error(file(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4,4]}})", 4)), Contains("expected 2 elements, got 3"));
  CHECK_THAT(error(file(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,5]}})", 5)),
             Contains("needs 4 bytes, data_offsets give 5"));
  CHECK_THAT(error(file(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,3]}})", 3)),
             Contains("needs 4 bytes, data_offsets give 3"));
  CHECK_THAT(error(file(R"({"a":7})", 0)), Contains("expected a JSON object, got number"));
  CHECK_THAT(error(file(R"({"__metadata__":{"k":1}})", 0)), Contains("metadata 'k': expected a string, got number"));
  CHECK_THAT(error(file(R"({"__metadata__":[]})", 0)), Contains("not an object"));
}

TEST_CASE("types that tensors do not have are held in wider ones, with a note", "[io]") {
  const auto parsed = [](const std::string& dtype, const std::vector<uint8_t>& data, size_t count) {
    const std::string end = std::to_string(data.size());
    Bytes b = file(object(entry("a", dtype, "[" + std::to_string(count) + "]", "[0," + end + "]")), data.size());
    std::memcpy(b.data() + b.size() - data.size(), data.data(), data.size());
    return b;
  };
  const auto values = [&]<class T>(const std::string& dtype, const std::vector<uint8_t>& data, const std::vector<T>& want) {
    INFO(dtype);
    const SafeTensors s = parse_safetensors(parsed(dtype, data, want.size()), "x.st");
    const auto got = s.tensors.at("a").data<T>();
    CHECK(std::vector<T>(got.begin(), got.end()) == want);
    REQUIRE(s.notes.size() == 2);
    CHECK_THAT(s.notes[1], StartsWith("x.st: tensors of " + dtype + " are held as") && Contains(": 1"));
  };
  // 1, -2, the least and the largest subnormal, the least normal and the largest number, -0; infinity.
  values("F16", {0, 0x3c, 0, 0xc0, 1, 0, 0xff, 3, 0, 4, 0xff, 0x7b, 0, 0x80, 0, 0x7c},
         std::vector<float>{1, -2, 0x1p-24F, 0x1.ff8p-15F, 0x1p-14F, 65504, -0.0F, INFINITY});
  values("BF16", {0x80, 0x3f, 0x49, 0xc0, 1, 0, 0x7f, 0x7f, 0x80, 0xff},
         std::vector<float>{1, -3.140625F, 0x1p-133F, 0x1.fep127F, -INFINITY});
  values("BOOL", {0, 1, 1}, std::vector<uint8_t>{0, 1, 1});
  values("U16", {0xff, 0xff, 1, 0}, std::vector<int32_t>{65535, 1});
  values("U32", {0xff, 0xff, 0xff, 0x7f}, std::vector<int32_t>{INT32_MAX});
  values("I64", {0, 0, 0, 0x80, 0xff, 0xff, 0xff, 0xff, 7, 0, 0, 0, 0, 0, 0, 0}, std::vector<int32_t>{INT32_MIN, 7});
  values("U64", {9, 0, 0, 0, 0, 0, 0, 0}, std::vector<int32_t>{9});
  const SafeTensors nan = parse_safetensors(parsed("F16", {1, 0x7e}, 1), "x.st");
  CHECK(std::isnan(nan.tensors.at("a").data<float>()[0]));
  CHECK_THAT(error(parsed("I64", {1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0}, 2)),
             StartsWith("x.st: tensor 'a': element 1 is 4294967296, which does not fit 32 bits"));
  CHECK_THAT(error(parsed("U32", {0, 0, 0, 0x80}, 1)), Contains("element 0 is 2147483648"));
  CHECK_THAT(error(parsed("BOOL", {1, 2}, 2)), Contains("tensor 'a': element 1 is 2, a truth is 0 or 1"));
  CHECK_THAT(error(parsed("BF16", {1, 2, 3}, 1)), Contains("needs 2 bytes, data_offsets give 3"));
}

TEST_CASE("what could not be read back is not written", "[io]") {
  SafeTensors s;
  s.tensors.emplace("__metadata__", Tensor());
  CHECK_THAT(error_of([&] { safetensors_bytes(s, "x.st"); }), StartsWith("x.st: ") && Contains("cannot be named"));
  s.tensors.clear();
  s.tensors.emplace("nine axes", Tensor({1, 1, 1, 1, 1, 1, 1, 1, 1}, DType::u8));
  CHECK_THAT(error_of([&] { safetensors_bytes(s, "x.st"); }), Contains("9 axes"));
  s.tensors.clear();
  s.metadata = {{"bad", "\xff"}};
  CHECK_THAT(error_of([&] { safetensors_bytes(s, "x.st"); }), Contains("UTF-8"));
}

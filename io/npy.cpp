// SPDX-License-Identifier: Apache-2.0
// The .npy header is a Python dictionary literal of three known keys; a parser for exactly that is shorter than any general one.
#include "io/npy.h"

#include <array>
#include <bit>
#include <charconv>
#include <cmath>
#include <cstring>
#include <optional>
#include <type_traits>
#include <utility>

#include "kernels/float_scope.h"

namespace octet {
namespace {

static_assert(std::endian::native == std::endian::little, "npy data is copied as it is");

constexpr uint64_t kMaxFile = uint64_t{1} << 34;
constexpr size_t kMaxHeader = size_t{1} << 16;
constexpr std::string_view kMagic{"\x93NUMPY", 6};
constexpr std::string_view kReadable = "<f4 <f8 |u1 |i1 <i2 <i4", kConvertible = "|b1 <u2 <u4 <u8 <i8";

/// How NumPy spells a type, and the tensor's, where tensors have it.
struct Element {
  std::string_view spelling;
  size_t bytes;
  std::optional<DType> dtype;
};
constexpr std::array<Element, 11> kElements{{{"<f4", 4, DType::f32},
                                             {"<f8", 8, DType::f64},
                                             {"|u1", 1, DType::u8},
                                             {"|i1", 1, DType::i8},
                                             {"<i2", 2, DType::i16},
                                             {"<i4", 4, DType::i32},
                                             {"|b1", 1, {}},
                                             {"<u2", 2, {}},
                                             {"<u4", 4, {}},
                                             {"<u8", 8, {}},
                                             {"<i8", 8, {}}}};

struct Header {
  std::optional<Element> element;
  std::optional<bool> fortran;
  std::optional<Shape> shape;
};

/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  Header parse() {
    Header h;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !h.element) {
        h.element = element();
      } else if (key == "fortran_order" && !h.fortran) {
        h.fortran = boolean();
      } else if (key == "shape" && !h.shape) {
        h.shape = tuple();
      } else {
        fail(name_, ": npy header has the unknown or repeated key '", key, "'");
      }
      if (accept('}')) break;
      expect(',');
    }
    skip_space();
    check(at_ == text_.size(), name_, ": npy header has text after its dictionary, at byte ", at_);
    check(h.element && h.fortran && h.shape, name_, ": npy header lacks descr, fortran_order or shape");
    return h;
  }

 private:
  void skip_space() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n')) ++at_;
  }
  bool accept(char c) {
    skip_space();
    if (at_ == text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  void expect(char c) { check(accept(c), name_, ": npy header: expected '", c, "' at byte ", at_); }
  std::string_view quoted() {
    expect('\'');
    const size_t end = text_.find('\'', at_);
    check(end != std::string_view::npos, name_, ": npy header: unfinished string at byte ", at_);
    const std::string_view value = text_.substr(at_, end - at_);
    at_ = end + 1;
    return value;
  }
  Element element() {
    skip_space();
    check(at_ < text_.size() && text_[at_] == '\'', name_, ": npy element type is a structure; only ", kReadable, " are supported");
    const std::string_view descr = quoted();
    for (const Element& e : kElements)
      if (descr == e.spelling) return e;
    fail(name_, ": npy element type '", descr, "' is not supported, only ", kReadable, ", and of labels and data ", kConvertible);
  }
  bool boolean() {
    skip_space();
    for (const auto& [word, value] : {std::pair{std::string_view("True"), true}, std::pair{std::string_view("False"), false}})
      if (text_.substr(at_).starts_with(word)) {
        at_ += word.size();
        return value;
      }
    fail(name_, ": npy header: expected True or False at byte ", at_);
  }
  Shape tuple() {
    Shape shape;
    expect('(');
    while (!accept(')')) {
      skip_space();
      int64_t dim = 0;
      const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), dim);
      check(error == std::errc() && dim >= 0, name_, ": npy header: expected a dimension at byte ", at_);
      at_ = static_cast<size_t>(end - text_.data());
      shape.push_back(dim);
      check(shape.size() <= kMaxRank, name_, ": npy shape has more than ", kMaxRank, " axes");
      if (accept(')')) break;
      expect(',');
    }
    return shape;
  }

  std::string_view text_, name_;
  size_t at_ = 0;
};

struct Array {
  Element element;
  Shape shape;
  std::span<const std::byte> data;
};

/// `exact`: only types that tensors have.
Array parse(std::span<const std::byte> bytes, std::string_view name, bool exact) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  check(text.size() >= 10, name, ": npy needs at least 10 bytes, got ", text.size());
  check(text.starts_with(kMagic), name, ": is not an npy file");
  const int major = std::to_integer<int>(bytes[6]), minor = std::to_integer<int>(bytes[7]);
  check((major == 1 || major == 2) && minor == 0, name, ": npy version ", major, ".", minor, " is not supported, only 1.0 and 2.0");
  const size_t length_bytes = major == 1 ? 2 : 4, start = 8 + length_bytes;
  check(text.size() >= start, name, ": npy header is truncated");
  size_t length = 0;
  for (size_t i = length_bytes; i-- > 0;) length = length << 8 | std::to_integer<size_t>(bytes[8 + i]);
  check(length <= kMaxHeader, name, ": npy header claims ", length, " bytes, at most ", kMaxHeader, " are read");
  check(length <= text.size() - start, name, ": npy header claims ", length, " bytes, the file has ", text.size() - start);

  Header h = HeaderParser(text.substr(start, length), name).parse();
  check(!exact || h.element->dtype, name, ": npy element type '", h.element->spelling, "' is not supported, only ", kReadable);
  check(!*h.fortran, name, ": npy array is in Fortran order; save it with numpy.ascontiguousarray");
  const std::span<const std::byte> data = bytes.subspan(start + length);
  uint64_t needed = h.element->bytes;
  for (const int64_t d : *h.shape)
    check(!__builtin_mul_overflow(needed, static_cast<uint64_t>(d), &needed), name, ": npy shape ", to_string(*h.shape),
          " is too large");
  check(data.size() == needed, name, ": npy shape ", to_string(*h.shape), " of ", h.element->spelling, " needs ", needed,
        " bytes of data, the file has ", data.size());
  return {*h.element, std::move(*h.shape), data};
}

/// act(i, value) for every element, as the type it has in the file.
template <class Act>
void each_element(const Array& a, Act&& act) {
  const auto as = [&]<class T>(T) {
    for (size_t i = 0; i * sizeof(T) < a.data.size(); ++i) {
      T v;
      std::memcpy(&v, a.data.data() + i * sizeof(T), sizeof(T));
      act(i, v);
    }
  };
  const std::string_view s = a.element.spelling;
  if (s == "<f4") return as(float{});
  if (s == "<f8") return as(double{});
  if (s == "|u1" || s == "|b1") return as(uint8_t{});
  if (s == "|i1") return as(int8_t{});
  if (s == "<i2") return as(int16_t{});
  if (s == "<i4") return as(int32_t{});
  if (s == "<u2") return as(uint16_t{});
  if (s == "<u4") return as(uint32_t{});
  if (s == "<u8") return as(uint64_t{});
  as(int64_t{});
}

}  // namespace

Tensor parse_npy(std::span<const std::byte> bytes, std::string_view name) {
  const Array a = parse(bytes, name, true);
  Tensor t(a.shape, *a.element.dtype);
  if (!a.data.empty()) std::memcpy(t.mutable_raw(), a.data.data(), a.data.size());
  return t;
}

Tensor parse_npy_integers(std::span<const std::byte> bytes, std::string_view name) {
  const FloatScope environment;
  const Array a = parse(bytes, name, false);
  Tensor t(a.shape, DType::i32);
  const auto to = t.mutable_data<int32_t>();
  each_element(a, [&]<class T>(size_t i, T v) {
    if constexpr (std::is_floating_point_v<T>) {
      check(std::trunc(v) == v, name, ": element ", i, " is ", v,
            ", expected an integer");  // NaN is not equal; infinities are caught below
      check(v >= T(-0x1p31) && v < T(0x1p31), name, ": element ", i, " is ", v, ", which does not fit 32 bits");
    } else {
      check(std::in_range<int32_t>(v), name, ": element ", i, " is ", +v, ", which does not fit 32 bits");
    }
    to[i] = static_cast<int32_t>(v);
  });
  return t;
}

Tensor parse_npy_floats(std::span<const std::byte> bytes, std::string_view name) {
  const FloatScope environment;
  const Array a = parse(bytes, name, false);
  Tensor t(a.shape, DType::f32);
  const auto to = t.mutable_data<float>();
  each_element(a, [&]<class T>(size_t i, T v) {
    if constexpr (std::is_same_v<T, double>)  // the largest finite f32, and half a unit beyond it
      check(!std::isfinite(v) || std::abs(v) < 0x1.ffffffp127, name, ": element ", i, " is ", v, ", which float32 cannot hold");
    to[i] = static_cast<float>(v);
  });
  return t;
}

Tensor load_npy_integers(const std::string& path) { return parse_npy_integers(read_file(path, kMaxFile), path); }
Tensor load_npy_floats(const std::string& path) { return parse_npy_floats(read_file(path, kMaxFile), path); }

Tensor load_npy(const std::string& path) { return parse_npy(read_file(path, kMaxFile), path); }

Bytes npy_bytes(const Tensor& t) {
  check(t.rank() <= kMaxRank, "npy: shape ", to_string(t.shape()), " has more than ", kMaxRank, " axes");
  std::string header = "{'descr': '";
  for (const Element& e : kElements)
    if (e.dtype == t.dtype()) header += e.spelling;
  header += "', 'fortran_order': False, 'shape': (";
  for (const int64_t d : t.shape()) header += std::to_string(d) + ", ";
  if (t.rank() > 1) header.resize(header.size() - 2);  // (3, 4) but (3, )
  header += "), }";
  // Version 1 with data at a multiple of 64, as NumPy writes it; eight dimensions always fit its 16-bit length.
  header.append(63 - (kMagic.size() + 4 + header.size()) % 64, ' ').push_back('\n');
  std::string text(kMagic);
  text += {'\1', '\0', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  text += header;
  Bytes bytes(text.size() + t.bytes());
  std::memcpy(bytes.data(), text.data(), text.size());
  if (t.bytes() > 0) std::memcpy(bytes.data() + text.size(), t.raw(), t.bytes());
  return bytes;
}

void save_npy(const std::string& path, const Tensor& t) { write_file(path, npy_bytes(t)); }

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// The .npy header is a Python dictionary literal of three known keys; a parser for exactly that is shorter than any general one.
#include "io/npy_header.h"

#include <array>
#include <charconv>
#include <optional>

namespace octet {
namespace {

constexpr std::string_view kNpyReadable = "f2 f4 f8 u1 u2 u4 u8 i1 i2 i4 i8 b1 in either byte order";
// In Element's order; NumPy has no bf16.
constexpr std::array<std::string_view, 12> kSpellings{"f4", "f8", "u1", "i1", "i2", "i4", "b1", "u2", "u4", "u8", "i8", "f2"};

struct Fields {
  std::optional<Element> element;
  bool swapped = false;
  std::optional<bool> fortran;
  std::optional<Shape> shape;
};

/// {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  Fields parse() {
    Fields h;
    expect('{');
    while (!accept('}')) {
      const std::string_view key = quoted();
      expect(':');
      if (key == "descr" && !h.element) {
        h.element = element(h.swapped);
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
  Element element(bool& swapped) {
    skip_space();
    check(at_ < text_.size() && text_[at_] == '\'', name_, ": npy element type is a structure; only ", kNpyReadable,
          " are supported");
    const std::string_view descr = quoted();
    for (size_t i = 0; i < kSpellings.size(); ++i) {
      const auto e = static_cast<Element>(i);
      if (descr.empty() || descr.substr(1) != kSpellings[i]) continue;
      swapped = descr[0] == '>';
      if (size_of(e) == 1 ? descr[0] == '|' : descr[0] == '<' || swapped) return e;
    }
    fail(name_, ": npy element type '", descr, "' is not supported, only ", kNpyReadable);
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

}  // namespace

NpyHeader parse_npy_header(std::span<const std::byte> bytes, std::string_view name) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  check(text.size() >= 10, name, ": npy needs at least 10 bytes, got ", text.size());
  check(text.starts_with(kNpyMagic), name, ": is not an npy file");
  const int major = std::to_integer<int>(bytes[6]), minor = std::to_integer<int>(bytes[7]);
  check((major == 1 || major == 2) && minor == 0, name, ": npy version ", major, ".", minor, " is not supported, only 1.0 and 2.0");
  const size_t length_bytes = major == 1 ? 2 : 4, start = 8 + length_bytes;
  check(text.size() >= start, name, ": npy header is truncated");
  size_t length = 0;
  for (size_t i = length_bytes; i-- > 0;) length = length << 8 | std::to_integer<size_t>(bytes[8 + i]);
  check(length <= kMaxNpyHeader, name, ": npy header claims ", length, " bytes, at most ", kMaxNpyHeader, " are read");
  check(length <= text.size() - start, name, ": npy header claims ", length, " bytes, the file has ", text.size() - start);

  Fields h = HeaderParser(text.substr(start, length), name).parse();
  uint64_t needed = size_of(*h.element);
  for (const int64_t d : *h.shape)
    check(!__builtin_mul_overflow(needed, static_cast<uint64_t>(d), &needed), name, ": npy shape ", to_string(*h.shape),
          " is too large");
  return {*h.element, h.swapped, *h.fortran, std::move(*h.shape), start + length, needed};
}

std::string npy_spelling(DType dtype) {
  std::string spelling(1, size_of(dtype) == 1 ? '|' : '<');
  spelling += kSpellings[static_cast<size_t>(dtype)];
  return spelling;
}

}  // namespace octet

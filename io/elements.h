// SPDX-License-Identifier: Apache-2.0
// Numbers as files hold them: the types that tensors have and those they do not have (halves, truths, wide and unsigned integers),
// in either byte order. Private to io/.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <limits>
#include <span>
#include <string_view>
#include <type_traits>
#include <utility>

#include "engine/tensor.h"

namespace octet {

static_assert(std::endian::native == std::endian::little, "little-endian data is copied as it is");

/// The first six are DType's, in its order.
enum class Element : uint8_t { f32, f64, u8, i8, i16, i32, boolean, u16, u32, u64, i64, f16, bf16 };
inline constexpr size_t kElements = 13;

constexpr bool is_dtype(Element e) { return e <= Element::i32; }
size_t size_of(Element);
/// What tensors hold such numbers as: halves as f32, which is exact; truths as u8; other integers as i32.
DType held_as(Element);

float from_f16(uint16_t bits);
float from_bf16(uint16_t bits);

/// act(i, value) for every element in the file's order: halves as float, truths as uint8_t, all others as they are. `swapped`: big
/// endian.
template <class Act>
void each_element(Element type, std::span<const std::byte> bytes, bool swapped, Act&& act) {
  const auto as = [&]<class T>(T, auto&& value_of) {
    std::array<std::byte, sizeof(T)> raw{};
    for (size_t i = 0; (i + 1) * sizeof(T) <= bytes.size(); ++i) {
      std::memcpy(raw.data(), bytes.data() + i * sizeof(T), sizeof(T));
      if (swapped) std::reverse(raw.begin(), raw.end());
      act(i, value_of(std::bit_cast<T>(raw)));
    }
  };
  const auto itself = [](auto v) { return v; };
  switch (type) {
    case Element::f32: return as(float{}, itself);
    case Element::f64: return as(double{}, itself);
    case Element::u8:
    case Element::boolean: return as(uint8_t{}, itself);
    case Element::i8: return as(int8_t{}, itself);
    case Element::i16: return as(int16_t{}, itself);
    case Element::i32: return as(int32_t{}, itself);
    case Element::u16: return as(uint16_t{}, itself);
    case Element::u32: return as(uint32_t{}, itself);
    case Element::u64: return as(uint64_t{}, itself);
    case Element::i64: return as(int64_t{}, itself);
    case Element::f16: return as(uint16_t{}, from_f16);
    case Element::bf16: return as(uint16_t{}, from_bf16);
  }
}

/// The tensor of them, of dtype held_as(type). `place(i)` is where the i-th element of the file goes. Throws naming `name` and the
/// element if an integer does not fit 32 bits or a truth is neither 0 nor 1.
template <class Place>
Tensor tensor_of(Element type, Shape shape, std::span<const std::byte> bytes, std::string_view name, bool swapped, Place&& place) {
  Tensor t(std::move(shape), held_as(type));
  if (t.numel() == 0) return t;
  each_element(type, bytes, swapped, [&, raw = t.mutable_raw()]<class T>(size_t i, T v) {
    constexpr bool kWide = std::is_integral_v<T> && (sizeof(T) == 8 || std::is_same_v<T, uint32_t>);
    if constexpr (kWide) check(std::in_range<int32_t>(v), name, ": element ", i, " is ", v, ", which does not fit 32 bits");
    if constexpr (std::is_same_v<T, uint8_t>)
      check(type != Element::boolean || v <= 1, name, ": element ", i, " is ", +v, ", a truth is 0 or 1");
    using Held = std::conditional_t<kWide || std::is_same_v<T, uint16_t>, int32_t, T>;
    static_cast<Held*>(raw)[place(i)] = static_cast<Held>(v);
  });
  return t;
}
Tensor tensor_of(Element, Shape, std::span<const std::byte> bytes, std::string_view name);

}  // namespace octet

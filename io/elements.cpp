// SPDX-License-Identifier: Apache-2.0
// Sizes, what holds what, and the two 16-bit floats.
#include "io/elements.h"

namespace octet {
namespace {

constexpr std::array<size_t, kElements> kSizes{4, 8, 1, 1, 2, 4, 1, 2, 4, 8, 8, 2, 2};

}  // namespace

size_t size_of(Element e) { return kSizes[static_cast<size_t>(e)]; }

DType held_as(Element e) {
  if (is_dtype(e)) return static_cast<DType>(e);
  if (e == Element::boolean) return DType::u8;
  return e == Element::f16 || e == Element::bf16 ? DType::f32 : DType::i32;
}

float from_bf16(uint16_t bits) { return std::bit_cast<float>(uint32_t{bits} << 16); }

float from_f16(uint16_t bits) {
  const uint32_t sign = uint32_t{bits} >> 15 << 31, exponent = bits >> 10 & 31U, fraction = bits & 1023U;
  // Subnormals are multiples of 2^-24: both factors and the product are exact.
  if (exponent == 0) return std::bit_cast<float>(std::bit_cast<uint32_t>(static_cast<float>(fraction) * 0x1p-24F) | sign);
  return std::bit_cast<float>(sign | (exponent == 31 ? 255U : exponent + 112) << 23 | fraction << 13);
}

Tensor tensor_of(Element type, Shape shape, std::span<const std::byte> bytes, std::string_view name) {
  if (!is_dtype(type)) return tensor_of(type, std::move(shape), bytes, name, false, [](size_t i) { return i; });
  Tensor t(std::move(shape), held_as(type));
  if (t.bytes() > 0) std::memcpy(t.mutable_raw(), bytes.data(), t.bytes());
  return t;
}

}  // namespace octet

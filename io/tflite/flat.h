// SPDX-License-Identifier: Apache-2.0
// FlatBuffers of unknown origin, read field by field: whatever is read was checked before to lie in the file.
#pragma once

#include <flatbuffers/flatbuffers.h>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engine/check.h"

namespace octet::tflite {

static_assert(std::endian::native == std::endian::little, "vectors are copied as they are");

/// What is wrong with a file itself, said with its name.
class Damaged : public Error {
 public:
  using Error::Error;
};

/// A file's bytes, and how much was read of them: tables and vectors may be shared, so that a small file could say more than fits
/// into memory.
class Flat {
 public:
  /// Borrows the bytes, which begin at a multiple of 16.
  Flat(std::span<const std::byte> bytes, std::string_view name);

  [[noreturn]] void damaged(std::string_view where, std::string_view what) const {
    throw Damaged(name_ + ": " + std::string(where) + ": " + std::string(what));
  }
  /// Counts so many bytes as read.
  void account(size_t bytes, std::string_view where);
  const std::string& name() const { return name_; }
  std::span<const std::byte> bytes() const { return bytes_; }
  flatbuffers::Verifier& verifier() { return verifier_; }

 private:
  std::span<const std::byte> bytes_;
  std::string name_;
  flatbuffers::Verifier verifier_;
  size_t budget_;
};

/// A table; a field that is missing has the value its reader names, a vector is empty.
class Table {
 public:
  static Table root(Flat&);

  template <class T>
  T number(int field, T otherwise = {}) const {
    const auto offset = place(field, sizeof(T));
    if (!offset) return otherwise;
    demand(file_->verifier().VerifyField<T>(data(), *offset, sizeof(T)), "a field outside the file");
    return flatbuffers::ReadScalar<T>(data() + *offset);
  }
  std::optional<Table> table(int field, std::string_view what) const;
  /// Elements of a vector of tables.
  size_t count(int field) const;
  Table element(int field, size_t index, std::string_view what) const;
  /// A vector of numbers, at most so many.
  template <class T>
  std::vector<T> numbers(int field, size_t most = SIZE_MAX) const {
    const auto* from = vector<T>(field);
    if (from == nullptr) return {};
    demand(from->size() <= most, "a vector that is too long");
    file_->account(from->size() * sizeof(T), where_);
    std::vector<T> all(from->size());
    if (!all.empty()) std::memcpy(all.data(), from->Data(), all.size() * sizeof(T));  // which need not be aligned
    return all;
  }
  /// A vector of bytes where it lies.
  std::span<const std::byte> bytes(int field) const;
  std::string text(int field) const;
  const std::string& where() const { return where_; }

 private:
  Table(Flat& file, const uint8_t* at, std::string where);
  void demand(bool holds, std::string_view what) const {
    if (!holds) file_->damaged(where_, what);
  }
  const uint8_t* data() const { return reinterpret_cast<const uint8_t*>(at_); }
  /// From the table's begin, if it has the field; a value of so many bytes lies inside of the table.
  std::optional<flatbuffers::voffset_t> place(int field, size_t size) const;
  /// What a field refers to; null if it is missing.
  const uint8_t* target(int field) const;
  template <class T>
  const flatbuffers::Vector<T>* vector(int field) const {
    const auto* v = reinterpret_cast<const flatbuffers::Vector<T>*>(target(field));
    demand(file_->verifier().VerifyVector(v), "a vector that ends outside the file");
    return v;
  }

  Flat* file_;
  const flatbuffers::Table* at_;
  std::string where_;
};

}  // namespace octet::tflite

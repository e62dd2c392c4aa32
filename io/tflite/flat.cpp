// SPDX-License-Identifier: Apache-2.0
// Tables and vectors of a FlatBuffer, each checked before it is read.
#include "io/tflite/flat.h"

namespace octet::tflite {
namespace {

flatbuffers::Verifier::Options limits() {
  flatbuffers::Verifier::Options options;
  options.max_depth = UINT32_MAX;  // a reader asks for what it knows, to a fixed depth; what it reads is budgeted
  options.max_tables = UINT32_MAX;
  return options;
}

std::string position(std::string_view what, size_t index) { return std::string(what) + " " + std::to_string(index); }

}  // namespace

Flat::Flat(std::span<const std::byte> bytes, std::string_view name)
    : bytes_(bytes),
      name_(name),
      verifier_(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size(), limits()),
      budget_(size_t{1} << 16) {
  // What is read is mostly weights, each once; names and shapes may be shared by many.
  budget_ += 8 * bytes.size();
}

void Flat::account(size_t bytes, std::string_view where) {
  if (bytes > budget_) damaged(where, "the file says the same things over and over; what was read exceeds eight times its size");
  budget_ -= bytes;
}

Table::Table(Flat& file, const uint8_t* at, std::string where)
    : file_(&file), at_(reinterpret_cast<const flatbuffers::Table*>(at)), where_(std::move(where)) {
  file.account(32, where_);
  demand(at_->VerifyTableStart(file.verifier()), "a table outside the file");
  const auto* vtable = reinterpret_cast<const flatbuffers::voffset_t*>(at_->GetVTable());
  demand(flatbuffers::EndianScalar(vtable[0]) >= 4, "a table without a size");
  file.verifier().EndTable();
}

Table Table::root(Flat& file) {
  const flatbuffers::uoffset_t at = file.verifier().VerifyOffset(0);
  if (at == 0) file.damaged("its first word", "refers to nothing in the file");
  return {file, reinterpret_cast<const uint8_t*>(file.bytes().data()) + at, "model"};
}

std::optional<flatbuffers::voffset_t> Table::place(int field, size_t size) const {
  const auto offset = at_->GetOptionalFieldOffset(static_cast<flatbuffers::voffset_t>(4 + 2 * field));
  if (offset == 0) return std::nullopt;
  const auto* vtable = reinterpret_cast<const flatbuffers::voffset_t*>(at_->GetVTable());
  demand(offset >= 4 && offset + size <= flatbuffers::EndianScalar(vtable[1]), "a field outside its table");
  return offset;
}

const uint8_t* Table::target(int field) const {
  const auto offset = place(field, sizeof(flatbuffers::uoffset_t));
  if (!offset) return nullptr;
  const flatbuffers::uoffset_t step = file_->verifier().VerifyOffset(data(), *offset);
  demand(step != 0, "a reference to a place outside the file");
  return data() + *offset + step;
}

std::optional<Table> Table::table(int field, std::string_view what) const {
  const uint8_t* at = target(field);
  if (at == nullptr) return std::nullopt;
  return Table(*file_, at, where_ + ": " + std::string(what));
}

size_t Table::count(int field) const {
  const auto* references = vector<flatbuffers::uoffset_t>(field);
  return references == nullptr ? 0 : references->size();
}

Table Table::element(int field, size_t index, std::string_view what) const {
  const auto* references = vector<flatbuffers::uoffset_t>(field);
  const std::string name = position(what, index);
  demand(references != nullptr && index < references->size(), "there is no " + name);
  const auto* word = references->Data() + index * sizeof(flatbuffers::uoffset_t);
  const flatbuffers::uoffset_t step = file_->verifier().VerifyOffset(word, 0);
  demand(step != 0, name + " lies outside the file");
  return {*file_, word + step, name};
}

std::span<const std::byte> Table::bytes(int field) const {
  const auto* v = vector<uint8_t>(field);
  if (v == nullptr) return {};
  return {reinterpret_cast<const std::byte*>(v->data()), v->size()};
}

std::string Table::text(int field) const {
  const auto* s = reinterpret_cast<const flatbuffers::String*>(target(field));
  if (s == nullptr) return {};
  demand(file_->verifier().VerifyString(s), "a text that ends outside the file");
  file_->account(s->size(), where_);
  return s->str();
}

}  // namespace octet::tflite

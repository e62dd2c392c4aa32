// SPDX-License-Identifier: Apache-2.0
// Constant: a tensor of the model's own. Its codes, or floats, are a table that a kernel copies.
#include "engine/ops/functional.h"
#include "engine/ops/table.h"
#include "engine/ops/wide.h"
#include "engine/quantize.h"

namespace octet {
namespace {

/// A copy of a table of so many bytes.
kernels::ConstantArgs copied_table(int64_t bytes, std::string_view path) {
  check(bytes <= INT32_MAX, path, ": ", bytes, " bytes are too many for a kernel");
  return {static_cast<int32_t>(bytes)};
}

ModuleTables table_of(const Tensor& t) {
  Blobs blobs;
  blobs.weight = Weights({t.share(), static_cast<const int8_t*>(t.raw())}, static_cast<size_t>(t.bytes()));
  return {std::make_shared<const Blobs>(std::move(blobs))};
}

}  // namespace

std::vector<Shape> Constant::shapes(const ShapeCall& call) const {
  call.expect_inputs(0);
  numel(shape);
  return {shape};
}

void Constant::init(Params& params, Generator&) const { params.insert_or_assign("value", Tensor::zeros(shape)); }

std::vector<Var> Constant::forward(const Call& call) const { return {call.param("value")}; }

ModuleTables Constant::tables(const LowerCall& call) const {
  return table_of(quantize(dequantize(needed(*call.params, "value", call.path)), *call.output, call.rounding));
}

Lowered Constant::lower(const LowerCall& call) const {
  return {{{.args = copied_table(numel(shape) * code_size(*call.output), call.path), .inputs = {}, .table = 0}}};
}

ModuleTables Constant::float_tables(const FloatLowerCall& call) const { return table_of(call.param("value")); }

LoweredFloats Constant::lower_float(const FloatLowerCall& call) const {
  const int64_t bytes = numel(shape) * static_cast<int64_t>(sizeof(float));
  if (bytes > INT32_MAX) return {};  // forward() copies them
  return {{{.args = copied_table(bytes, call.path), .inputs = {}, .table = 0}}};
}

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// Running an opened model: its steps in order. Everything was checked when the image was opened; only the arena is new.
#include "runtime/walk.h"

namespace {

using namespace octet;
using namespace octet::image;

/// The records from the first step on.
Cursor steps_of(const uint8_t* image, const Header& h) {
  Cursor walk = records_of(image, h);
  for (uint32_t i = 0; i < 1u + h.inputs + h.outputs; ++i) walk.skip();
  return walk;
}

}  // namespace

size_t octet_arena_size(const octet_model* model) {
  return model == nullptr || model->image == nullptr ? 0 : header_of(model->image).arena_bytes;
}

octet_status octet_run(const octet_model* model, void* arena, size_t arena_bytes, octet_layer_callback callback, void* user) {
  if (model == nullptr || model->image == nullptr || arena == nullptr) return OCTET_ERROR_NULL;
  if (reinterpret_cast<uintptr_t>(arena) % OCTET_ALIGNMENT != 0) return OCTET_ERROR_ALIGNMENT;
  const uint8_t* image = static_cast<const uint8_t*>(model->image);
  const Header h = header_of(image);
  if (arena_bytes < h.arena_bytes) return OCTET_ERROR_ARENA;
  const uint8_t* values = values_of(image, h);
  Cursor walk = steps_of(image, h);
  uint32_t index = 0;
  while (!walk.done()) {
    const uint16_t kind = walk.peek().kind;
    const uint8_t* payload = walk.payload();
    ArgsBuffer args;
    octet_step step = resolve(image, values, payload, &args, arena);
    walk.skip();
    bool other = false;
    const octet_op* op = choose_op(model->ops, model->op_count, kind, h.rounding, walk, &other);
    if (op == nullptr) return OCTET_ERROR_OPERATOR;
    for (; !walk.done() && walk.peek().kind == static_cast<uint16_t>(Kind::packed); walk.skip())
      take_packed(image, load<Packed>(walk.payload()), *op, &step);
    op->run(&step);
    const Step s = load<Step>(payload);
    if (s.flags != kCompletes) continue;  // no layer is done yet
    if (callback != nullptr) {
      octet_layer layer;
      layer.index = index, layer.kind = kind;
      layer.name = reinterpret_cast<const char*>(payload + parts_of(s).name), layer.name_bytes = s.name_bytes;
      layer.output_count = s.outputs;
      for (uint32_t i = 0; i < kMostOperands; ++i) {
        layer.output[i] = nullptr, layer.output_bytes[i] = 0;
        if (i >= s.outputs) continue;
        const Value out = value(values, operand(payload, s.inputs + i).value);
        layer.output[i] = place(arena, out.offset), layer.output_bytes[i] = out.bytes;
      }
      callback(user, &layer);
    }
    ++index;
  }
  return OCTET_OK;
}

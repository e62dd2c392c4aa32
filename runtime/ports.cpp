// SPDX-License-Identifier: Apache-2.0
// What goes into a model and comes out of it: descriptions and places in the arena.
#include "runtime/walk.h"

namespace {

using namespace octet;
using namespace octet::image;

bool opened(const octet_model* model) { return model != nullptr && model->image != nullptr; }

/// Payload of an input's or output's record; null if there is no such one.
const uint8_t* port_of(const octet_model* model, uint32_t index, bool output) {
  if (!opened(model)) return nullptr;
  const uint8_t* image = static_cast<const uint8_t*>(model->image);
  const Header h = header_of(image);
  if (index >= (output ? h.outputs : h.inputs)) return nullptr;
  Cursor walk = records_of(image, h);
  const uint32_t skipped = 1 + (output ? h.inputs : 0) + index;
  for (uint32_t i = 0; i < skipped; ++i) walk.skip();
  return walk.payload();
}

octet_status describe(const octet_model* model, uint32_t index, bool output, octet_tensor* info) {
  if (!opened(model) || info == nullptr) return OCTET_ERROR_NULL;
  const uint8_t* payload = port_of(model, index, output);
  if (payload == nullptr) return OCTET_ERROR_INDEX;
  const Port p = load<Port>(payload);
  info->type = static_cast<octet_type>(p.type);
  info->bytes = value(values_of(static_cast<const uint8_t*>(model->image), header_of(model->image)), p.value).bytes;
  info->rank = p.rank;
  __builtin_memcpy(info->shape, p.shape, sizeof p.shape);
  __builtin_memcpy(&info->scale, &p.scale, sizeof p.scale);
  info->zero_point = p.zero_point;
  info->name = reinterpret_cast<const char*>(payload + sizeof(Port));
  info->name_bytes = p.name_bytes;
  return OCTET_OK;
}

/// Offset in the arena.
bool offset_of(const octet_model* model, uint32_t index, bool output, uint32_t* offset) {
  const uint8_t* payload = port_of(model, index, output);
  if (payload == nullptr) return false;
  *offset = value(values_of(static_cast<const uint8_t*>(model->image), header_of(model->image)), load<Port>(payload).value).offset;
  return true;
}

}  // namespace

uint32_t octet_input_count(const octet_model* model) { return opened(model) ? header_of(model->image).inputs : 0; }
uint32_t octet_output_count(const octet_model* model) { return opened(model) ? header_of(model->image).outputs : 0; }

octet_status octet_input_info(const octet_model* model, uint32_t index, octet_tensor* info) {
  return describe(model, index, false, info);
}
octet_status octet_output_info(const octet_model* model, uint32_t index, octet_tensor* info) {
  return describe(model, index, true, info);
}

void* octet_input(const octet_model* model, void* arena, uint32_t index) {
  uint32_t offset = 0;
  if (arena == nullptr || !offset_of(model, index, false, &offset)) return nullptr;
  return static_cast<uint8_t*>(arena) + offset;
}
const void* octet_output(const octet_model* model, const void* arena, uint32_t index) {
  uint32_t offset = 0;
  if (arena == nullptr || !offset_of(model, index, true, &offset)) return nullptr;
  return static_cast<const uint8_t*>(arena) + offset;
}

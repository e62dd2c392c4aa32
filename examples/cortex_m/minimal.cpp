// SPDX-License-Identifier: Apache-2.0
// The smallest firmware around a model: open, run, done. Its size is what the report prints as .text, .rodata and RAM.
#include "examples/cortex_m/board.h"
#include "model.h"

namespace {
alignas(OCTET_ALIGNMENT) unsigned char arena[MODEL_ARENA_BYTES];
}

int main() {
  octet_model model{};
  if (octet_model_open(&model, model_image, sizeof model_image, model_ops, MODEL_OP_COUNT) != OCTET_OK) return 1;
  return octet_run(&model, arena, sizeof arena, nullptr, nullptr) == OCTET_OK ? 0 : 2;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Opens the model that lies in flash, runs it once on a ramp and ends; a real one would read a sensor and act on the output. */
#include "model.h"

static unsigned char arena[MODEL_ARENA_BYTES] __attribute__((aligned(OCTET_ALIGNMENT)));

int main(void) {
  octet_model model;
  octet_tensor in, out;
  if (octet_model_open(&model, model_image, sizeof model_image, model_ops, MODEL_OP_COUNT) != OCTET_OK) return 1;
  if (octet_input_info(&model, 0, &in) != OCTET_OK || octet_output_info(&model, 0, &out) != OCTET_OK) return 2;
  unsigned char* x = octet_input(&model, arena, 0);
  for (uint32_t i = 0; i < in.bytes; ++i) x[i] = (unsigned char)i;
  if (octet_run(&model, arena, sizeof arena, 0, 0) != OCTET_OK) return 3;
  const signed char* y = octet_output(&model, arena, 0);
  uint32_t best = 0;
  for (uint32_t i = 1; i < out.bytes; ++i)
    if (y[i] > y[best]) best = i;
  return best < out.bytes ? 0 : 4;
}

// SPDX-License-Identifier: Apache-2.0
// An operator of one's own, in C99: a fully connected layer in fixed_single rounding, as an accelerator's driver would be hooked in.
// Pass &own_linear_fixed_single to octet_model_open before octet's operators, or in place of octet_op_linear_fixed_single.
#include "runtime/args.h"
#include "runtime/octet.h"

extern const octet_op own_linear_fixed_single;

/* Called once, when a model is opened: what octet demands of a linear layer is what this one demands. */
static octet_status check(const octet_step* step) { return octet_op_linear_fixed_single.check(step); }

static int32_t limited(int64_t value, int32_t low, int32_t high) {
  return value < low ? low : value > high ? high : (int32_t)value;
}

static void run(const octet_step* step) {
  const octet_linear_args* a = (const octet_linear_args*)step->args;
  const octet_tables* t = &step->tables[0];
  const uint8_t* x = (const uint8_t*)step->input[0];
  uint8_t* y = (uint8_t*)step->output[0];
  for (int32_t r = 0; r < a->rows; ++r)
    for (int32_t o = 0; o < a->out; ++o) {
      const int32_t zero = t->weight_zero_point ? t->weight_zero_point[o] : 0;
      int32_t sum = t->bias_codes[o];
      for (int32_t i = 0; i < a->in; ++i) {
        const uint8_t byte = x[r * a->in + i];
        const int32_t code = a->input_type == OCTET_CODES_I8 ? (int8_t)byte : byte;
        sum += (code - a->input_zero_point) * (t->weight[o * a->in + i] - zero);
      }
      /* sum * multiplier * 2^(shift - 31), rounded half up once. */
      const int32_t right = 31 - t->shift[o];
      int64_t scaled = ((int64_t)sum * t->multiplier[o] + ((int64_t)1 << (right - 1))) >> right;
      scaled = limited(scaled, INT32_MIN, INT32_MAX);
      y[r * a->out + o] = (uint8_t)limited(scaled + a->output.zero_point, a->output.clamp_min, a->output.clamp_max);
    }
}

const octet_op own_linear_fixed_single = {OCTET_KIND_LINEAR, OCTET_FIXED_SINGLE, 0, 0, 0, check, run};

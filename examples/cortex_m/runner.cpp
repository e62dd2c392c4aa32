// SPDX-License-Identifier: Apache-2.0
// The firmware that is measured and compared: runs every sample, prints the checksum of every layer, then the instructions of one
// inference, layer by layer, and the stack it took.
#include "examples/cortex_m/board.h"
#include "model.h"
#include "samples.h"

namespace {

alignas(OCTET_ALIGNMENT) unsigned char arena[MODEL_ARENA_BYTES];

void write_hex(uint32_t value) {
  char text[10];
  for (int i = 0; i < 8; ++i) text[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
  text[8] = 0;
  board::write(text);
}

/// "key 0000abcd\n"
void line(const char* key, uint32_t value) {
  board::write(key);
  board::write(" ");
  write_hex(value);
  board::write("\n");
}

void name(const octet_layer* layer) {
  char text[64];
  uint32_t n = 0;
  for (; n < layer->name_bytes && n < sizeof text - 1; ++n) text[n] = layer->name[n];
  text[n] = 0;
  board::write(text);
}

void print_checksum(void* user, const octet_layer* layer) {
  static_cast<void>(user);
  board::write("layer ");
  name(layer);
  line("", octet_crc32(layer->output[0], layer->output_bytes[0], 0));
}

struct Profile {
  uint32_t last, count;
  uint32_t ticks[512];
};

void take_time(void* user, const octet_layer*) {
  Profile* p = static_cast<Profile*>(user);
  const uint32_t now = board::ticks();
  if (p->count < sizeof p->ticks / sizeof *p->ticks) p->ticks[p->count++] = now - p->last;
  p->last = board::ticks();
}

int failed(const char* what, octet_status status) {
  board::write(what);
  board::write(": ");
  board::write(octet_status_name(status));
  board::write("\n");
  return 1;
}

/// A sample is the bytes of all inputs, one after the other.
void put_sample(const octet_model* model, int index) {
  const unsigned char* from = samples[index];
  for (uint32_t k = 0; k < octet_input_count(model); ++k) {
    octet_tensor input{};
    octet_input_info(model, k, &input);
    unsigned char* to = static_cast<unsigned char*>(octet_input(model, arena, k));
    for (uint32_t i = 0; i < input.bytes; ++i) to[i] = *from++;
  }
}

Profile profile;

}  // namespace

int main() {
  octet_model model{};
  board::paint_stack();
  uint32_t begin = board::ticks();
  if (const octet_status s = octet_model_open(&model, model_image, sizeof model_image, model_ops, MODEL_OP_COUNT))
    return failed("open", s);
  line("open_ticks", board::ticks() - begin);
  line("open_stack", board::stack_used());

  for (int i = 0; i < SAMPLE_COUNT; ++i) {
    put_sample(&model, i);
    line("sample", static_cast<uint32_t>(i));
    if (const octet_status s = octet_run(&model, arena, sizeof arena, print_checksum, nullptr)) return failed("run", s);
  }

  put_sample(&model, 0);
  board::paint_stack();
  begin = board::ticks();
  const octet_status s = octet_run(&model, arena, sizeof arena, nullptr, nullptr);
  const uint32_t end = board::ticks();
  if (s != OCTET_OK) return failed("run", s);
  line("run_ticks", end - begin);
  line("run_stack", board::stack_used());

  put_sample(&model, 0);
  profile.last = board::ticks();
  octet_run(&model, arena, sizeof arena, take_time, &profile);
  for (uint32_t i = 0; i < profile.count; ++i) line("layer_ticks", profile.ticks[i]);
  board::write("done\n");
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// Writes the cases for one target to a file: generate m4|m55 FILE. Prints how many, and which layers packing refused.
#include <cstdio>
#include <cstring>
#include <fstream>

#include "tests/cortex_m/cases.h"

namespace octet::testing {
namespace {

void write(std::ofstream& file, const void* data, size_t n) {
  file.write(static_cast<const char*>(data), static_cast<std::streamsize>(n));
  const char zeros[16] = {};
  file.write(zeros, static_cast<std::streamsize>((16 - n % 16) % 16));
}

template <class T>
int32_t size(const std::vector<T>& v) {
  return static_cast<int32_t>(v.size() * sizeof(T));
}

int generate(Target target, const char* path) {
  std::ofstream file(path, std::ios::binary);
  int count = 0, refused = 0;
  for_each_case(target, [&](const DeviceCase& c) {
    if (c.packed.empty()) {
      ++refused;
      std::printf("%s, %s: refused: %s\n", c.name.c_str(), name(c.rounding), c.refusal.c_str());
      return;
    }
    CaseHeader h{};
    h.magic = kCaseMagic, h.kind = c.kind, h.rounding = static_cast<int32_t>(c.rounding), h.scratch_bytes = c.scratch_bytes;
    h.reference = c.reference ? 1 : 0;
    h.args = size(c.args), h.input = size(c.input), h.second = size(c.second), h.packed = size(c.packed);
    h.expected = size(c.expected);
    const Tables& t = c.tables;
    const bool real = c.rounding == Rounding::real;
    h.weight = size(c.weight), h.bias = size(t.bias_codes), h.multiplier = size(t.multiplier), h.shift = size(t.shift);
    std::snprintf(h.name, sizeof h.name, "%s, %s", c.name.c_str(), name(c.rounding));
    write(file, &h, sizeof h);
    for (const auto* section : {&c.args, &c.input, &c.second, &c.packed, &c.expected})
      write(file, section->data(), section->size());
    write(file, c.weight.data(), c.weight.size());
    write(file, real ? static_cast<const void*>(t.bias.data()) : t.bias_codes.data(), t.bias_codes.size() * 4);
    write(file, real ? static_cast<const void*>(t.scale.data()) : t.multiplier.data(), t.multiplier.size() * 4);
    write(file, t.shift.data(), t.shift.size() * 4);
    ++count;
  });
  const CaseHeader end{};
  write(file, &end, sizeof end);
  std::printf("%d cases, %d refused\n", count, refused);
  return file.good() ? 0 : 1;
}

}  // namespace
}  // namespace octet::testing

int main(int count, char** arguments) {
  if (count != 3) return std::fprintf(stderr, "usage: generate m4|m55 FILE\n"), 2;
  return octet::testing::generate(std::strcmp(arguments[1], "m55") == 0 ? octet::testing::Target::m55 : octet::testing::Target::m4,
                                  arguments[2]);
}

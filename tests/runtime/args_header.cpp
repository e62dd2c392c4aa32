// SPDX-License-Identifier: Apache-2.0
// runtime/args.h is what the list of kernels says in C99: written again here and compared, with OCTET_WRITE_ARGS=FILE written to a
// file. An operator of one's own in C, on those structs, computes what octet's does.
#include "runtime/args.h"

#include <cstdlib>
#include <fstream>
#include <string>
#include <type_traits>

#include "quant/quantize.h"
#include "tests/catch.h"
#include "tests/runtime/device.h"
#include "tests/runtime/random_networks.h"

extern "C" const octet_op own_linear_fixed_single;  // examples/own_operator/own_linear.c

using namespace octet;
using namespace octet::device;

namespace {

template <class T>
std::string type_of(const T&) {
  if constexpr (std::is_array_v<T>)
    return type_of(std::remove_extent_t<T>());
  else if constexpr (std::is_same_v<T, float>)
    return "float";
  else if constexpr (std::is_same_v<T, int32_t>)
    return "int32_t";
  else {
    static_assert(sizeof(T) == 1, "kernel arguments are int32, float and bytes");
    return "uint8_t";
  }
}

template <class Args>
std::string struct_of(const std::string& name, const Args& a) {
  std::string text = "typedef struct octet_" + name + "_args {\n";
  bool output = false;
  kernels::Info<Args>::fields(a, [&]<class T>(const std::string& field, const T& value) {
    if constexpr (requires { a.output; }) {
      const auto at = reinterpret_cast<const char*>(&value), first = reinterpret_cast<const char*>(&a.output);
      if (at >= first && at < first + sizeof a.output) {
        if (!output) text += "  octet_output_args output;\n";
        output = true;
        return;
      }
    }
    text += "  " + type_of(value) + " " + field;
    if constexpr (std::is_array_v<T>) text += "[" + std::to_string(std::extent_v<T>) + "]";
    text += ";\n";
  });
  return text + "} octet_" + name + "_args;\n\n";
}

std::string header() {
  std::string text =
      "// SPDX-License-Identifier: Apache-2.0\n"
      "// What octet_step::args points to, in C99: the structs of kernels/args.h, where every field is explained. Written by\n"
      "// tests/runtime/args_header.cpp from the list of kernels; that test fails if they differ.\n"
      "#ifndef OCTET_RUNTIME_ARGS_H\n#define OCTET_RUNTIME_ARGS_H\n\n#include <stdint.h>\n\n"
      "/* Values of the fields called rounding, *_type and kind. */\n"
      "enum { OCTET_REAL = 0, OCTET_INT_BIAS = 1, OCTET_FIXED_DOUBLE = 2, OCTET_FIXED_SINGLE = 3 };\n"
      "enum { OCTET_CODES_U8 = 0, OCTET_CODES_I8 = 1, OCTET_CODES_I16 = 2 };\n"
      "enum { OCTET_LOGISTIC = 0, OCTET_TANH = 1, OCTET_LEAKY_RELU = 2 };\n"
      "enum { OCTET_POOL_MAX = 0, OCTET_POOL_AVERAGE = 1, OCTET_POOL_ADAPTIVE_AVERAGE = 2 };\n\n"
      "/* Record kinds: what an octet_op computes. */\nenum {";
  kernels::Kernels::each([&](auto info) {
    for (const kernels::DeviceOp& op : decltype(info)::device) {
      std::string name = "OCTET_KIND_";
      for (const char* c = op.name; *c != 0; ++c) name += static_cast<char>(*c >= 'a' && *c <= 'z' ? *c - 32 : *c);
      text += (text.back() == '{' ? "\n  " : ",\n  ") + name + " = " + std::to_string(op.kind);
    }
  });
  text += "\n};\n\ntypedef struct octet_output_args {\n";
  const kernels::OutputArgs o{};
  kernels::output_fields(o,
                         [&](const std::string& field, const auto& value) { text += "  " + type_of(value) + " " + field + ";\n"; });
  text += "} octet_output_args;\n\n";
  kernels::Kernels::each([&](auto info) {
    const typename decltype(info)::Args a{};
    text += struct_of(info.name, a);
  });
  return text + "#endif\n";
}

}  // namespace

TEST_CASE("the C header of the kernels' arguments is what the list of kernels says") {
  const std::string now = header();
  if (const char* file = std::getenv("OCTET_WRITE_ARGS")) std::ofstream(file) << now;
  const char* path = std::getenv("OCTET_ARGS_HEADER");
  REQUIRE(path != nullptr);
  const Bytes bytes = read_file(path, 1 << 20);
  CHECK(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == now);
  CHECK(sizeof(octet_conv2d_args) == sizeof(kernels::Conv2dArgs));
  CHECK(offsetof(octet_conv2d_args, output) == offsetof(kernels::Conv2dArgs, output));
  CHECK(sizeof(octet_transpose_args) == sizeof(kernels::TransposeArgs));
  CHECK(sizeof(octet_pool2d_args) == sizeof(kernels::Pool2dArgs));
}

TEST_CASE("an operator of one's own, written in C, takes the place of octet's and gives the same codes") {
  Model m;
  m.add("x", Input{{3, 20}});
  m.add("fc", Linear{20, 7, true, Activation::relu});
  m.add("fc2", Linear{7, 5});
  Generator g(1);
  initialize(m, g);
  m.rounding = Rounding::fixed_single;
  Model p = prepare(m, {{"", octet_device_qconfig()}});
  const Tensor data = randn(g, {64, 20});
  calibrate(p, {&data, 1});
  const Model int8 = convert(p);
  const Tensor x = quantize(slice_rows(data, 0, 3), *int8.modules[0].out_q[0], int8.rounding);
  const Tensor expected = infer(int8, {&x, 1})[0];
  const Bytes image = image_bytes(plan_firmware(int8));
  const Aligned flash(image);
  octet_model model{};
  const octet_op* ops[] = {&own_linear_fixed_single};
  REQUIRE(octet_model_open(&model, flash.data(), image.size(), ops, 1) == OCTET_OK);
  const Aligned arena(octet_arena_size(&model));
  std::memcpy(octet_input(&model, arena.data(), 0), x.raw(), x.bytes());
  REQUIRE(octet_run(&model, arena.data(), arena.size(), nullptr, nullptr) == OCTET_OK);
  CHECK(std::memcmp(octet_output(&model, arena.data(), 0), expected.raw(), expected.bytes()) == 0);
}

// SPDX-License-Identifier: Apache-2.0
// The image as C source, for build systems that take nothing else.
#include <cctype>
#include <cstdio>

#include "engine/text.h"
#include "io/image.h"
#include "kernels/float_scope.h"
#include "runtime/image.h"

namespace octet {
namespace {

bool is_identifier(const std::string& name) {
  if (name.empty() || is_digit(name[0])) return false;
  for (const char c : name)
    if (c != '_' && !is_digit(c) && !is_letter(c)) return false;
  return true;
}

std::string upper(std::string name) {
  for (char& c : name) c = octet::upper(c);
  return name;
}

}  // namespace

ImageSource image_source(const FirmwarePlan& plan, const std::string& name) try {
  const FloatScope environment;
  check(is_identifier(name), "image_source: \"", name, "\" is not a C identifier");
  const Bytes bytes = image_bytes(plan);
  const std::vector<std::string> ops = operators(plan);
  const std::string big = upper(name);
  Text h, c;
  h << "/* Written by octet: a model image, the operators it needs and the size of its arena. */\n"
    << "#ifndef " << big << "_H\n#define " << big << "_H\n\n#include \"runtime/octet.h\"\n\n"
    << "#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n"
    << "#define " << big << "_IMAGE_BYTES " << bytes.size() << "u\n"
    << "#define " << big << "_ARENA_BYTES " << plan.arena_bytes << "u\n"
    << "#define " << big << "_OP_COUNT " << ops.size() << "u\n\n"
    << "extern const unsigned char " << name << "_image[" << big << "_IMAGE_BYTES];\n"
    << "extern const octet_op* const " << name << "_ops[" << big << "_OP_COUNT];\n\n"
    << "#ifdef __cplusplus\n}\n#endif\n\n#endif\n";
  c << "/* Written by octet. */\n#include \"" << name << ".h\"\n\nconst octet_op* const " << name << "_ops[" << big
    << "_OP_COUNT] = {";
  for (size_t i = 0; i < ops.size(); ++i) c << (i == 0 ? "" : ", ") << "&octet_op_" << ops[i];
  c << "};\n\nconst unsigned char " << name << "_image[" << big << "_IMAGE_BYTES] __attribute__((aligned(" << image::kAlignment
    << "))) = {";
  std::string text;
  for (size_t i = 0; i < bytes.size(); ++i) {
    text += i % 24 == 0 ? "\n  " : "";
    text += std::to_string(static_cast<unsigned>(bytes[i]));
    text += ',';
  }
  c << text << "\n};\n";
  return {c.str(), h.str()};
} catch (const std::bad_alloc&) {
  fail("image_source: out of memory");
}

}  // namespace octet

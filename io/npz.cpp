// SPDX-License-Identifier: Apache-2.0
// Each entry's header is read before its data is inflated: what the two claim has to agree.
#include "io/npz.h"

#include <utility>

#include "io/npy.h"
#include "io/npy_header.h"
#include "io/zip.h"

namespace octet {
namespace {

constexpr uint64_t kMaxNpzFile = uint64_t{1} << 32;
constexpr std::string_view kEnding = ".npy";

}  // namespace

std::map<std::string, Tensor> parse_npz(std::span<const std::byte> bytes, std::string_view name) {
  check(is_zip(bytes), name, ": is not an npz file (a zip archive of npy arrays)");
  std::map<std::string, Tensor> arrays;
  for (const ZipEntry& e : zip_entries(bytes, name)) {
    const std::string where = std::string(name) + ": entry '" + e.name + "'";
    check(e.name.ends_with(kEnding) && e.name.size() > kEnding.size(), where, ": is no npy array");
    const NpyHeader h = parse_npy_header(zip_head(e, where, kMaxNpyHeader + 12), where);
    check(e.size >= h.begin && e.size - h.begin == h.bytes, where, ": npy shape ", to_string(h.shape), " needs ", h.bytes,
          " bytes of data, the archive gives ", e.size, " with the header");
    arrays.emplace(e.name.substr(0, e.name.size() - kEnding.size()), parse_npy(zip_content(e, where), where));
  }
  return arrays;
}

std::map<std::string, Tensor> load_npz(const std::string& path) { return parse_npz(read_file(path, kMaxNpzFile), path); }

}  // namespace octet

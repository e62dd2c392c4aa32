// SPDX-License-Identifier: Apache-2.0
// Streaming comparison: sums per module, no activation is kept beyond its batch.
#include "numeric_suite/compare.h"

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <map>

namespace octet {
namespace {

struct Sums {
  double signal = 0, noise = 0, max_abs = 0;
  int64_t elements = 0, saturated = 0;

  void add(const Tensor& reference, const Tensor& test, std::string_view path) {
    const Tensor a = dequantize(reference), b = dequantize(test);
    check(a.shape() == b.shape(), path, ": shapes ", to_string(a.shape()), " and ", to_string(b.shape()), " differ");
    const auto x = a.data<float>(), y = b.data<float>();
    for (size_t i = 0; i < x.size(); ++i) {
      const double d = static_cast<double>(x[i]) - static_cast<double>(y[i]);
      check(std::isfinite(d), path, ": element ", i, " is ", x[i], " in float and ", y[i], " quantized");
      signal += static_cast<double>(x[i]) * static_cast<double>(x[i]);
      noise += d * d;
      max_abs = std::max(max_abs, std::abs(d));
    }
    elements += static_cast<int64_t>(x.size());
    if (!test.qparams()) return;
    // Where zero is the lowest code (after a relu) the lowest code clips nothing.
    const QParams& q = *test.qparams();
    const auto ends = [&](auto codes) {
      for (const auto code : codes) saturated += code == q.qmax || (code == q.qmin && code != q.zero_point[0]);
    };
    if (test.dtype() == DType::u8) ends(test.data<uint8_t>());
    if (test.dtype() == DType::i8) ends(test.data<int8_t>());
  }

  double db() const {
    if (noise == 0) return INFINITY;
    return 10 * std::log10(signal / noise);
  }
};

}  // namespace

double sqnr(const Tensor& reference, const Tensor& test) {
  Sums sums;
  sums.add(reference, test, "sqnr");
  check(sums.elements > 0, "sqnr: empty tensors");
  return sums.db();
}

std::vector<OutputComparison> compare_outputs(const Model& reference, const Model& quantized, std::span<const Tensor> batches) {
  check(!batches.empty(), "compare_outputs: no data");
  std::map<int, int> counterpart;  // quantized index -> float index
  for (size_t i = 0; i < quantized.modules.size(); ++i) {
    const Module& module = quantized.modules[i];
    // A float model that is itself fused holds the module under its own name.
    std::optional<int> found = module.fused.empty() ? std::nullopt : reference.find(module.fused.back());
    if (!found) found = reference.find(module.path);
    if (found) counterpart[static_cast<int>(i)] = *found;
  }
  check(!counterpart.empty(), "compare_outputs: no module of one model has a counterpart in the other");
  std::vector<Sums> sums(quantized.modules.size());
  for (const Tensor& batch : batches) {
    std::map<int, Tensor> expected;
    infer(reference, {&batch, 1}, [&](int index, std::span<const Tensor> out) { expected[index] = out[0]; });
    infer(quantized, {&batch, 1}, [&](int index, std::span<const Tensor> out) {
      const auto match = counterpart.find(index);
      if (match != counterpart.end()) sums[index].add(expected.at(match->second), out[0], quantized.modules[index].path);
    });
  }
  std::vector<OutputComparison> rows;
  for (const auto& [index, match] : counterpart) {
    const Module& module = quantized.modules[index];
    const Sums& s = sums[index];
    const bool codes = !module.out_q.empty() && module.out_q[0];
    rows.push_back({module.path, reference.modules[match].path, std::string(name_of(module.op)),
                    std::string(to_string(codes ? code_dtype(*module.out_q[0]) : DType::f32)), s.db(), s.max_abs,
                    static_cast<double>(s.saturated) / static_cast<double>(std::max<int64_t>(s.elements, 1)), s.elements});
  }
  return rows;
}

std::string to_table(std::span<const OutputComparison> rows) {
  size_t width = 6;
  for (const OutputComparison& row : rows) width = std::max(width, row.path.size());
  std::ostringstream text;
  text << std::left << std::setw(static_cast<int>(width)) << "module"
       << "  " << std::setw(10) << "op"
       << "  out   SQNR dB  max |error|  at limits\n";
  for (const OutputComparison& row : rows) {
    text << std::left << std::setw(static_cast<int>(width)) << row.path << "  " << std::setw(10) << row.op << "  " << std::setw(3)
         << row.dtype << std::right << std::fixed << std::setprecision(2) << std::setw(10) << row.sqnr_db << std::setprecision(6)
         << std::setw(13) << row.max_abs_error << std::setprecision(2) << std::setw(9) << 100 * row.saturated << " %\n";
  }
  return text.str();
}

}  // namespace octet

// SPDX-License-Identifier: Apache-2.0
// Sizes are in CSS pixels of a viewBox; the page scales drawings down to the width it has.
#include "numeric_suite/report_svg.h"
#include "engine/text.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <iomanip>

namespace octet::svg {
namespace {

constexpr int kLabel = 150, kRow = 22, kWidth = 860;  // of charts with one row a layer

class Picture {
 public:
  Picture(double width, double height, const std::string& title) {
    text_ << std::fixed << std::setprecision(1) << "<svg viewBox=\"0 0 " << width << ' ' << height << "\" width=\"" << width
          << "\" role=\"img\" aria-label=\"" << escaped(title) << "\">";
  }
  Picture& box(double x, double y, double w, double h, std::string_view cls, const std::string& title = "") {
    text_ << "<rect x=\"" << x << "\" y=\"" << y << "\" width=\"" << std::max(w, 0.0) << "\" height=\"" << std::max(h, 0.0)
          << "\" class=\"" << cls << "\">";
    if (!title.empty()) text_ << "<title>" << escaped(title) << "</title>";
    text_ << "</rect>";
    return *this;
  }
  Picture& line(double x1, double y1, double x2, double y2, std::string_view cls) {
    text_ << "<line x1=\"" << x1 << "\" y1=\"" << y1 << "\" x2=\"" << x2 << "\" y2=\"" << y2 << "\" class=\"" << cls << "\"/>";
    return *this;
  }
  Picture& path(const std::string& d, std::string_view cls) {
    text_ << "<path d=\"" << d << "\" class=\"" << cls << "\"/>";
    return *this;
  }
  Picture& label(double x, double y, std::string_view words, std::string_view cls) {
    text_ << "<text x=\"" << x << "\" y=\"" << y << "\" class=\"" << cls << "\">" << escaped(words) << "</text>";
    return *this;
  }
  std::string done() { return text_.str() + "</svg>"; }

 private:
  Text text_;
};

/// Long paths keep their end, which tells layers apart.
std::string shortened(const std::string& path) { return path.size() <= 22 ? path : "…" + path.substr(path.size() - 21); }

}  // namespace

std::string escaped(std::string_view text) {
  std::string safe;
  for (const char c : text) {
    if (c == '<')
      safe += "&lt;";
    else if (c == '>')
      safe += "&gt;";
    else if (c == '&')
      safe += "&amp;";
    else if (c == '"')
      safe += "&quot;";
    else
      safe += c;
  }
  return safe;
}

std::string sqnr_bars(const ModelComparison& comparison) {
  double most = 40;
  for (const LayerComparison& l : comparison.layers)
    for (const auto& m : {l.output, l.shadow})
      if (m && std::isfinite(m->sqnr_db)) most = std::max(most, m->sqnr_db);
  most = std::ceil(most / 10) * 10;
  const double plot = kWidth - kLabel - 110, bottom = static_cast<double>(comparison.layers.size()) * kRow + 4;
  Picture p(kWidth, bottom + 22, "SQNR by layer");
  for (double db = 0; db <= most; db += 10) {
    const double x = kLabel + plot * db / most;
    p.line(x, 0, x, bottom, db == 0 ? "axis" : "grid").label(x, bottom + 16, brief(db), "tick mid");
  }
  double y = 2;
  for (const LayerComparison& l : comparison.layers) {
    p.label(kLabel - 6, y + 14, shortened(l.path), "name end");
    const auto bar = [&](const std::optional<Metrics>& m, double top, const char* cls, const char* what) {
      if (!m) return;
      const double w = plot * std::clamp(m->sqnr_db, 0.0, most) / most;
      p.box(kLabel, top, w, 8, cls, l.path + " " + what + ": " + decibels(m->sqnr_db) + " dB");
    };
    bar(l.output, y + 1, "inherited", "end to end");
    bar(l.shadow, y + 10, "own", "own");
    if (l.output && l.shadow) {
      const double reach = std::clamp(std::max(l.output->sqnr_db, l.shadow->sqnr_db), 0.0, most);
      p.label(kLabel + plot * reach / most + 4, y + 14, decibels(l.output->sqnr_db) + " / " + decibels(l.shadow->sqnr_db), "tick");
    }
    y += kRow;
  }
  return p.done();
}

std::string error_split(const Diagnosis& diagnosis) {
  std::vector<const LayerDiagnosis*> order;
  for (const LayerDiagnosis& l : diagnosis.layers) order.push_back(&l);
  std::ranges::sort(order, {}, &LayerDiagnosis::index);
  const double plot = kWidth - kLabel - 50;
  Picture p(kWidth, static_cast<double>(order.size()) * kRow + 4, "origin of each layer's error");
  double y = 2;
  for (const LayerDiagnosis* l : order) {
    const ErrorSplit& e = l->split;
    const double all = e.inherited + e.own();
    p.label(kLabel - 6, y + 14, shortened(l->path), "name end");
    double x = kLabel;
    for (const auto& [cls, value] : {std::pair{"inherited", e.inherited},
                                     {"weight", e.weight},
                                     {"bias", e.bias},
                                     {"rounding", e.rounding},
                                     {"clipping", e.clipping}}) {
      const double w = all > 0 ? plot * value / all : 0;
      p.box(x, y + 2, w, 15, cls, l->path + " " + cls + ": " + brief(all > 0 ? 100 * value / all : 0) + " %");
      x += w;
    }
    if (all <= 0) p.label(kLabel, y + 14, "no error", "tick");
    y += kRow;
  }
  return p.done();
}

std::string histogram(const Metrics& m) {
  constexpr double kW = 300, kH = 96, kBase = 80;
  using H = CodeHistogram;
  const int top = m.qmin < 0 ? 128 : 0;                     // codes are counted in the unsigned domain
  const int shift = m.qmin < -128 || m.qmax > 255 ? 8 : 0;  // those of 16 bits by their upper half
  const int qmin = m.qmin >> shift, qmax = m.qmax >> shift;
  int first = H::kBins, last = -1;
  double most = 1;
  for (int b = 0; b < H::kBins; ++b) {
    const int64_t n = std::max(m.histogram.reference[b], m.histogram.test[b]);
    if (n == 0) continue;
    first = std::min(first, b), last = std::max(last, b);
    most = std::max(most, static_cast<double>(n));
  }
  const bool grid = m.step > 0;
  if (grid) {
    first = std::min(first, (qmin + top - H::kLow) / H::kStep), last = std::max(last, (qmax + top - H::kLow) / H::kStep);
  }
  if (last < 0) return "";
  first = std::max(first - 1, 0), last = std::min(last + 1, H::kBins - 1);
  Picture p(kW, kH, "values by code");
  const double w = kW / (last - first + 1);
  // Counts span orders of magnitude: logarithmic, so that tails show.
  const auto height = [&](int64_t n) { return n == 0 ? 0 : (kBase - 6) * std::log1p(static_cast<double>(n)) / std::log1p(most); };
  Text outline;
  outline << std::fixed << std::setprecision(1) << "M0 " << kBase;
  for (int b = first; b <= last; ++b) {
    const double x = w * (b - first), h = height(m.histogram.test[b]);
    if (h > 0) p.box(x, kBase - h, w, h, "own");
    outline << "L" << x << ' ' << kBase - height(m.histogram.reference[b]) << "L" << x + w << ' '
            << kBase - height(m.histogram.reference[b]);
  }
  p.path(outline.str() + "L300 80", "outline").line(0, kBase, kW, kBase, "axis");
  const auto at_code = [&](double code) { return w * ((code + top - H::kLow) / H::kStep - first); };
  if (grid) {
    for (int q = qmin; q <= qmax + 1; q += 16) p.line(at_code(q), kBase, at_code(q), kBase + 4, "axis");
    for (const auto& [code, real, cls] : {std::tuple{qmin, m.grid_min, "tick"}, {qmax + 1, m.grid_max, "tick end"}})
      p.line(at_code(code), 0, at_code(code), kBase + 4, "limit")
          .label(std::clamp(at_code(code), 2.0, kW - 2), kH - 2, brief(real), cls);
    if (m.zero_point > qmin + 40 && m.zero_point < qmax - 40)
      p.line(at_code(m.zero_point), kBase, at_code(m.zero_point), kBase + 7, "axis")
          .label(at_code(m.zero_point), kH - 2, "0", "tick mid");
  }
  return p.done();
}

std::string channel_ranges(const Metrics& m) {
  constexpr double kW = 300, kH = 96;
  double lo = std::min(0.0, m.grid_min), hi = std::max(0.0, m.grid_max);
  for (const float v : m.channel_min) lo = std::min(lo, static_cast<double>(v));
  for (const float v : m.channel_max) hi = std::max(hi, static_cast<double>(v));
  if (hi <= lo) return "";
  Picture p(kW, kH, "range of every channel");
  const auto y = [&](double v) { return 4 + (kH - 8) * (hi - v) / (hi - lo); };
  // More channels than there is room for are drawn in groups.
  const size_t channels = m.channel_min.size(), columns = std::min<size_t>(channels, 128);
  const double w = (kW - 46) / static_cast<double>(columns), bar = std::min(w * 0.8, 16.0);
  for (size_t k = 0; k < columns; ++k) {
    double a = INFINITY, b = -INFINITY;
    for (size_t c = k * channels / columns; c < (k + 1) * channels / columns; ++c)
      a = std::min(a, static_cast<double>(m.channel_min[c])), b = std::max(b, static_cast<double>(m.channel_max[c]));
    p.box(44 + w * (static_cast<double>(k) + 0.5) - bar / 2, y(b), bar, std::max(y(a) - y(b), 0.6), "own",
          "channel " + std::to_string(k * channels / columns) + ": " + brief(a) + " .. " + brief(b));
  }
  p.line(44, y(0), kW, y(0), "axis");
  if (m.step > 0) p.line(44, y(m.grid_min), kW, y(m.grid_min), "limit").line(44, y(m.grid_max), kW, y(m.grid_max), "limit");
  p.label(40, std::clamp(y(hi) + 8, 9.0, kH), brief(hi), "tick end").label(40, kH - 4, brief(lo), "tick end");
  return p.done();
}

std::string wiring(std::span<const WiringRow> rows) {
  constexpr double kNarrow = 460, kWide = 760, kX = 70, kStep = 30, kBox = 22;
  const bool details = std::ranges::any_of(rows, [](const WiringRow& row) { return !row.detail.empty(); });
  const auto y = [&](size_t i) { return 4 + kStep * static_cast<double>(i); };
  Picture p(details ? kWide : kNarrow, y(rows.size()) + 4, "the network's wiring");
  for (size_t i = 0; i < rows.size(); ++i) {
    const WiringRow& row = rows[i];
    for (const int from : row.inputs) {
      const auto j = static_cast<size_t>(from);
      Text d;
      d << std::fixed << std::setprecision(1);
      if (j + 1 == i) {
        d << "M" << kX + 20 << ' ' << y(j) + kBox << "L" << kX + 20 << ' ' << y(i);
      } else {
        const double bend = std::min(14.0 + 6.0 * static_cast<double>(i - j), kX - 6);
        d << "M" << kX << ' ' << y(j) + kBox / 2 << "C" << kX - bend << ' ' << y(j) + kBox << ' ' << kX - bend << ' ' << y(i) << ' '
          << kX << ' ' << y(i) + kBox / 2;
      }
      p.path(d.str(), "wire");
    }
    p.box(kX, y(i), 240, kBox, row.integer ? "int8box" : "floatbox", row.path + ", " + row.op);
    p.label(kX + 8, y(i) + 15, shortened(row.path), "name").label(kX + 232, y(i) + 15, row.op, "tick end");
    if (!row.detail.empty()) p.label(kX + 330, y(i) + 15, row.detail, "tick");
    if (row.crossing) p.label(kX + 248, y(i) + 15, row.integer ? "float → int8" : "int8 → float", "cross");
  }
  return p.done();
}

}  // namespace octet::svg

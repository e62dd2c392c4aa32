// SPDX-License-Identifier: Apache-2.0
// The page: one file, no network, styles for desktop, phone and paper, and a dozen lines of script that sort the table.
#include <algorithm>
#include <cctype>
#include <cmath>
#include <iomanip>
#include <map>

#include "engine/text.h"
#include "kernels/float_scope.h"
#include "numeric_suite/report_svg.h"

namespace octet {
namespace {

using svg::escaped;

constexpr std::string_view kStyle = R"css(
:root{--ink:#1b1f24;--soft:#5b6570;--line:#d9dee3;--blue:#2f6fb3;--grey:#9aa7b4;--red:#c0392b;--amber:#d98a1f;--green:#2e8b57;
--violet:#7a5195}
*{box-sizing:border-box}body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);margin:0 auto;max-width:1080px;padding:20px}
h1{font-size:1.5em;margin:0 0 .3em}h2{font-size:1.15em;margin:1.8em 0 .5em;border-bottom:1px solid var(--line)}
h3{font-size:1em;margin:0 0 .2em;overflow-wrap:anywhere}
p{margin:.3em 0}.soft{color:var(--soft)}.tiles{display:flex;flex-wrap:wrap;gap:10px;margin:12px 0}
.tile{border:1px solid var(--line);border-radius:6px;padding:8px 14px;min-width:120px;flex:1 1 0}
.tile b{display:block;font-size:1.35em}
.card{border:1px solid var(--line);border-left:4px solid var(--red);border-radius:4px;padding:8px 12px;margin:8px 0;
break-inside:avoid}
.card.mild{border-left-color:var(--grey)}
code{background:#f3f5f7;padding:1px 4px;border-radius:3px;overflow-wrap:anywhere;font-size:.9em}
.scroll{overflow-x:auto}table{border-collapse:collapse;font-size:13px;width:100%}
th,td{padding:4px 8px;text-align:right;border-bottom:1px solid var(--line);white-space:nowrap}
th{cursor:pointer;background:#f3f5f7;position:sticky;top:0}
th:first-child,td:first-child,th:nth-child(2),td:nth-child(2){text-align:left}
th:first-child,td:first-child{position:sticky;left:0;background:#fff}th:first-child{background:#f3f5f7}
th[aria-sort=ascending]::after{content:" ▲"}th[aria-sort=descending]::after{content:" ▼"}
svg{max-width:100%;height:auto;display:block;font:11px system-ui,sans-serif}
.legend span{display:inline-block;margin-right:14px}
.legend i{display:inline-block;width:11px;height:11px;margin-right:5px;vertical-align:-1px}
.small{display:grid;grid-template-columns:repeat(auto-fill,minmax(300px,1fr));gap:18px}
.small figure{margin:0;border:1px solid var(--line);border-radius:6px;padding:8px 10px;break-inside:avoid}
figcaption{font-size:12px;color:var(--soft)}.inherited{fill:var(--grey);background:var(--grey)}
.own{fill:var(--blue);background:var(--blue)}.weight{fill:var(--violet);background:var(--violet)}
.bias{fill:var(--green);background:var(--green)}.rounding{fill:var(--blue);background:var(--blue)}
.clipping{fill:var(--red);background:var(--red)}
.axis{stroke:#555}.grid{stroke:var(--line)}.limit{stroke:var(--red);stroke-dasharray:4 3}
.outline{fill:none;stroke:var(--ink);stroke-width:1.2}.wire{fill:none;stroke:var(--soft);stroke-width:1.3}
.tick{fill:var(--soft)}.name{fill:var(--ink)}.end{text-anchor:end}.mid{text-anchor:middle}
.cross{fill:var(--amber);font-weight:600}.int8box{fill:#dcebf9;stroke:var(--blue)}.floatbox{fill:#fff4e2;stroke:var(--amber)}
@media(max-width:600px){body{padding:12px;font-size:14px}.tile{flex:1 1 40%;min-width:0;padding:6px 10px}
.small{grid-template-columns:1fr}.small svg{width:100%}.wide svg{max-width:none;width:700px}}
@media print{body{max-width:none;padding:0;font-size:13px;print-color-adjust:exact;-webkit-print-color-adjust:exact}
.screen{display:none}.tile{flex:1 1 0;min-width:0}.scroll{overflow:visible}
h2,h2+p,h2+p+p{break-after:avoid}svg,tr{break-inside:avoid}table{font-size:9px}th,td{padding:2px 4px}
th{white-space:normal;vertical-align:bottom}th,th:first-child,td:first-child{position:static}
.small{grid-template-columns:repeat(3,1fr);gap:10px}.small svg{width:100%}
figcaption{font-size:9.5px}}
)css";

constexpr std::string_view kScript = R"js(
document.querySelectorAll('th').forEach((th,column)=>{const sort=()=>{const table=th.closest('table'),body=table.tBodies[0];
const down=th.getAttribute('aria-sort')==='ascending';table.querySelectorAll('th').forEach(o=>o.removeAttribute('aria-sort'));
th.setAttribute('aria-sort',down?'descending':'ascending');const key=r=>r.cells[column].dataset.v;
[...body.rows].sort((a,b)=>{const x=key(a),y=key(b),n=Number(x)-Number(y);
return (down?-1:1)*(Number.isNaN(n)?x.localeCompare(y):n)}).forEach(r=>body.append(r))};
th.tabIndex=0;th.addEventListener('click',sort);th.addEventListener('keydown',e=>{if(e.key==='Enter')sort()})});
)js";

/// "230", "17,700", "3.2": for ratios.
std::string ratio(double v) {
  if (v < 10) return brief(v, 2);
  const std::string digits = std::to_string(std::llround(v));
  std::string text;
  for (size_t i = 0; i < digits.size(); ++i) {
    if (i > 0 && (digits.size() - i) % 3 == 0) text.push_back(',');
    text.push_back(digits[i]);
  }
  return text;
}
std::string fixed(double v, int digits = 2) {
  if (std::isinf(v)) return brief(v);
  Text text;
  text << std::fixed << std::setprecision(digits) << v;
  return text.str();
}
std::string counted(int64_t n, const std::string& what) {
  return std::to_string(n).append(" ").append(what).append(n == 1 ? "" : "s");
}
std::string sentence(std::string words) {
  if (!words.empty()) words[0] = upper(words[0]);
  words.push_back('.');
  return words;
}

class Page {
 public:
  Page& operator<<(std::string_view text) {
    html_ += text;
    return *this;
  }
  void cell(const std::string& shown, const std::string& key) {
    html_ += "<td data-v=\"" + escaped(key) + "\">" + escaped(shown) + "</td>";
  }
  void cell(double v, const std::string& shown) {
    cell(shown, std::isinf(v) ? (v > 0 ? "Infinity" : "-Infinity") : std::isnan(v) ? "-1e99" : brief(v, 9));
  }
  void none() { cell("–", "-1e99"); }
  void decibels_of(const std::optional<Metrics>& m) { m ? cell(m->sqnr_db, decibels(m->sqnr_db)) : none(); }
  std::string done() { return std::move(html_); }

 private:
  std::string html_;
};

void tile(Page& page, const std::string& value, const std::string& what) {
  page << "<div class=\"tile\"><b>" << escaped(value) << "</b>" << escaped(what) << "</div>";
}

void header(Page& page, const Report& r) {
  const OutputFigures& all = r.comparison.output;
  const std::string of = ", " + counted(all.samples, "sample");
  const auto integers = std::ranges::count(r.wiring, true, &WiringRow::integer),
             crossings = std::ranges::count(r.wiring, true, &WiringRow::crossing);
  page << "<h1>" << escaped(r.title) << "</h1><div class=\"tiles\">";
  if (all.float_accuracy)
    tile(page, percent(*all.float_accuracy), "accuracy, float" + of),
        tile(page, percent(*all.quantized_accuracy), "accuracy, int8" + of);
  tile(page, decibels(all.sqnr_db) + " dB", "SQNR of the output" + of);
  tile(page, std::to_string(integers) + " of " + std::to_string(r.wiring.size()),
       "modules in int8, " + counted(crossings, "crossing"));
  tile(page, std::to_string(r.comparison.samples),
       "samples; causes from " + std::to_string(r.diagnosis.output.samples) +
           (r.comparison.stopped || r.diagnosis.stopped ? "; stopped early" : ""));
  page << "</div>";
}

void verdicts(Page& page, const Diagnosis& d, const std::vector<std::string>& notes) {
  page << "<h2>Which layer, why, and what to change</h2>";
  if (d.layers.empty()) {
    page << "<p>Stopped before a batch was diagnosed.</p>";
    return;
  }
  page << "<p class=\"soft\">On the samples that causes are from: " << escaped(to_string(d.output)) << ".</p>";
  std::string pairs;
  for (const PairImbalance& p : d.pairs)
    if (p.unbalanced)
      pairs += "<li>" + escaped(p.first) + " and " + escaped(p.second) + ": channels scaled apart by " + brief(p.decades, 2) +
               " decades, ranges span " + ratio(p.worst_span) + "x</li>";
  if (!pairs.empty())
    page << "<div class=\"card\"><h3>Unbalanced pairs</h3><ul>" << pairs
         << "</ul><p>Mend: <code>equalize(fuse(float_model, Aim::inference))</code>, then quantize again</p></div>";
  if (!notes.empty()) {
    page << "<div class=\"card mild\"><h3>Worth a look</h3><ul>";
    for (const std::string& note : notes) page << "<li>" << escaped(note) << "</li>";
    page << "</ul></div>";
  }
  // Layers that matter; the worst one always.
  size_t shown = 1;
  while (shown < std::min<size_t>(d.layers.size(), 8) && d.layers[shown].share >= 0.02) ++shown;
  for (size_t i = 0; i < shown; ++i) {
    const LayerDiagnosis& l = d.layers[i];
    page << "<div class=\"card" << (l.share < 0.1 ? " mild" : "") << "\"><h3>" << std::to_string(i + 1) << ". " << escaped(l.path)
         << ": " << to_string(l.cause) << "</h3><p>" << escaped(sentence(l.words))
         << "</p><p class=\"soft\">Alone in float: output " << (l.gain_db >= 0 ? "+" : "") << fixed(l.gain_db) << " dB";
    if (l.accuracy) page << ", accuracy " << percent(*l.accuracy) << " in place of " << percent(*d.output.quantized_accuracy);
    page << ".</p>";
    if (!l.mend.empty()) page << "<p>Mend: <code>" << escaped(l.mend) << "</code></p>";
    page << "</div>";
  }
  if (shown < d.layers.size())
    page << "<p class=\"soft\">Each of the other " << counted(static_cast<int64_t>(d.layers.size() - shown), "layer")
         << " alone in float removes less than 2 % of the output's noise.</p>";
  if (std::isfinite(d.rank_correlation))
    page << "<p class=\"soft\">First-order estimate against this measurement: rank correlation " << brief(d.rank_correlation, 2)
         << " (estimated from " << counted(d.estimated_samples, "sample") << ").</p>";
}

void table(Page& page, const Report& r) {
  std::map<std::string, const LayerDiagnosis*> by_path;
  for (const LayerDiagnosis& l : r.diagnosis.layers) by_path[l.path] = &l;
  page << "<h2>Layers</h2><p class=\"soft\">Cause, gain and noise share are from " << counted(r.diagnosis.output.samples, "sample")
       << ", estimated from " << std::to_string(r.diagnosis.estimated_samples) << ", all else from "
       << std::to_string(r.comparison.samples)
       << ".</p><p class=\"soft screen\">A click on a column sorts by it.</p><div class=\"scroll\"><table "
          "id=\"layers\"><thead><tr>";
  for (const char* name : {"layer", "cause", "end to end dB", "own dB", "weights dB", "gain dB", "noise share", "estimated",
                           "max |error|", "cosine", "clip low", "clip high", "codes used", "bits", "dead", "op", "out"})
    page << "<th>" << name << "</th>";
  page << "</tr></thead><tbody>";
  for (const LayerComparison& l : r.comparison.layers) {
    page << "<tr>";
    page.cell(l.path, l.path);
    const auto found = by_path.find(l.path);
    const LayerDiagnosis* d = found == by_path.end() ? nullptr : found->second;
    const Metrics* m = l.shadow ? &*l.shadow : nullptr;
    const std::string cause = d ? std::string(to_string(d->cause)) : m ? m->note : "";
    page.cell(cause, cause);
    page.decibels_of(l.output), page.decibels_of(l.shadow), page.decibels_of(l.weight);
    if (d) {
      page.cell(d->gain_db, fixed(d->gain_db)), page.cell(d->share, percent(d->share)),
          page.cell(d->estimated, percent(d->estimated));
    } else {
      page.none(), page.none(), page.none();
    }
    if (l.output) {
      page.cell(l.output->max_abs_error, brief(l.output->max_abs_error)), page.cell(l.output->cosine, brief(l.output->cosine, 6));
    } else {
      page.none(), page.none();
    }
    if (m && m->step > 0) {
      page.cell(m->saturated_low, percent(m->saturated_low)), page.cell(m->saturated_high, percent(m->saturated_high));
      page.cell(m->codes_used, percent(m->codes_used)), page.cell(m->effective_bits, brief(m->effective_bits));
      page.cell(static_cast<double>(m->dead_channels.size()), std::to_string(m->dead_channels.size()));
    } else {
      for (int i = 0; i < 5; ++i) page.none();
    }
    page.cell(l.op, l.op), page.cell(l.dtype, l.dtype);
    page << "</tr>";
  }
  page << "</tbody></table></div>";
}

void drawings(Page& page, const Report& r) {
  page << "<h2>Signal to noise by layer</h2><p class=\"legend\"><span><i class=\"inherited\"></i>end to end, with what was "
          "inherited</span>"
          "<span><i class=\"own\"></i>own error alone</span><span class=\"soft\">numbers: end to end / own, dB</span></p>"
       << "<div class=\"scroll wide\">" << svg::sqnr_bars(r.comparison) << "</div>"
       << "<h2>Where each layer's error comes from</h2><p class=\"soft\">From " << counted(r.diagnosis.output.samples, "sample")
       << ".</p><p class=\"legend\"><span><i "
          "class=\"inherited\"></i>inherited</span><span><i "
          "class=\"weight\"></i>weights</span><span><i class=\"bias\"></i>bias</span><span><i class=\"rounding\"></i>activation "
          "rounding"
          "</span><span><i class=\"clipping\"></i>clipping</span></p>"
       << "<div class=\"scroll wide\">" << svg::error_split(r.diagnosis) << "</div>"
       << "<h2>Values, codes and channels</h2><p class=\"soft\">Left to right: float outputs as a line, dequantized ones filled "
          "(logarithmic "
          "counts), the ends of the codes dashed, a tick every 16 codes. Below: every channel's smallest to largest float output, "
          "and the "
          "range of every output channel's weights.</p><div class=\"small\">";
  for (const LayerDiagnosis& l : r.diagnosis.layers) {
    const auto row = std::ranges::find(r.comparison.layers, l.path, &LayerComparison::path);
    if (row == r.comparison.layers.end() || !row->shadow) continue;
    const Metrics& m = *row->shadow;
    page << "<figure><h3>" << escaped(l.path) << "</h3>" << svg::histogram(m) << "<figcaption>codes cover " << brief(m.grid_min)
         << " .. " << brief(m.grid_max) << ", outputs " << brief(m.reference_min) << " .. " << brief(m.reference_max)
         << "</figcaption>" << svg::channel_ranges(m) << "<figcaption>outputs by channel</figcaption>";
    if (row->weight) page << svg::channel_ranges(*row->weight) << "<figcaption>weights by output channel</figcaption>";
    page << "</figure>";
  }
  page << "</div><h2>Wiring</h2><p class=\"legend\"><span><i class=\"int8box\" style=\"background:#dcebf9;border:1px solid "
          "#2f6fb3\"></i>int8</span>"
          "<span><i style=\"background:#fff4e2;border:1px solid #d98a1f\"></i>float</span></p>"
       << svg::wiring(r.wiring);
}

}  // namespace

std::string to_html(const Report& report) {
  const FloatScope environment;
  Page page;
  page << "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width, "
          "initial-scale=1\"><title>"
       << escaped(report.title) << "</title><style>" << kStyle << "</style></head><body>\n";
  header(page, report);
  verdicts(page, report.diagnosis, report.notes);
  table(page, report);
  drawings(page, report);
  page << "\n<script>" << kScript << "</script></body></html>\n";
  return page.done();
}

}  // namespace octet

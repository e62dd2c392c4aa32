// SPDX-License-Identifier: Apache-2.0
// The rules that name a cause, from the most specific to the most general.
#include "numeric_suite/cause.h"
#include "engine/text.h"

#include <algorithm>
#include <cmath>
#include <iomanip>

namespace octet {
namespace {

constexpr double kSpan = 15;        // largest channel by the median one
constexpr double kDominant = 0.25;  // share of the own error that makes a cause
constexpr double kWide = 0.4;       // share of the codes' range that values reach
constexpr double kUnused = 0.15;    // of the codes' range at the end that does not clip: the range is shifted, not short

std::string brief_percent(double share) { return brief(100 * share) + " %"; }

struct Span {
  double ratio = 1;
  size_t largest = 0, middle = 0;
};
Span span_of(const std::vector<double>& ranges) {
  std::vector<size_t> order;
  for (size_t c = 0; c < ranges.size(); ++c)
    if (ranges[c] > 0) order.push_back(c);
  if (order.size() < 2) return {};
  std::ranges::sort(order, [&](size_t a, size_t b) { return ranges[a] < ranges[b]; });
  const size_t middle = order[(order.size() - 1) / 2];
  return {ranges[order.back()] / ranges[middle], order.back(), middle};
}

std::string entry(const std::string& path, const char* qconfig) { return "{\"" + path + "\", " + qconfig + "}"; }

/// What is left of a layer that has eight bits and no other fault.
std::string less_rounding(const Symptoms& s) {
  if (s.island.empty()) return "train with the rounding in place: fuse(float_model, Aim::training), prepare, train, convert";
  std::string entries;
  for (const std::string& path : s.island) entries += (entries.empty() ? "" : ", ") + entry(path, "std::nullopt");
  return entries;
}

}  // namespace

std::string_view to_string(Cause cause) {
  switch (cause) {
    case Cause::none: return "none";
    case Cause::range_too_narrow: return "range too narrow";
    case Cause::range_too_wide: return "range too wide";
    case Cause::zero_point: return "zero point";
    case Cause::bias: return "bias";
    case Cause::channel_span: return "channel span";
    case Cause::weight_rounding: return "weight rounding";
    case Cause::activation_rounding: return "activation rounding";
  }
  return "";
}

bool needs_mending(const ErrorSplit& e, const Symptoms& s) {
  const double own_db = s.signal > 0 && e.own() > 0 ? 10 * std::log10(s.signal / e.own()) : e.own() > 0 ? -INFINITY : INFINITY;
  return (s.share >= kNoticedShare && own_db < kHealthyDb) || (s.share >= kDominantShare && s.network_sqnr_db < kHealthyDb);
}

void name_cause(LayerDiagnosis& d, const Symptoms& s) {
  const ErrorSplit& e = s.split;
  const double own = e.own();
  const auto say = [&](Cause cause, const std::string& words, const std::string& mend) {
    d.cause = cause, d.words = words, d.mend = mend;
  };
  const char* recipe = s.device ? "octet_device_qconfig()" : "octet_qconfig()";
  if (own <= 0) return say(Cause::none, "no error of its own", "");
  const std::string seen = brief(s.low) + ".." + brief(s.high), grid = brief(s.grid_low) + ".." + brief(s.grid_high);
  const double width = s.grid_high - s.grid_low;

  if (s.has_weights && e.bias >= kDominant * own && s.stored_bias >= 0.5 * e.bias)
    return say(Cause::bias,
               "its bias is not the float model's: channel " + std::to_string(s.worst_bias_channel) + " is off by " +
                   brief(s.worst_bias) + " on average, outputs span " + seen,
               "correct_bias(float_model, int8, data)");

  const Span weights = span_of(s.weight_ranges), outputs = span_of(s.output_ranges);
  const bool by_weights = s.per_tensor_weights && weights.ratio > kSpan;
  if ((by_weights || outputs.ratio > kSpan) && e.weight + e.bias + e.rounding >= kDominant * own && e.clipping < 0.5 * own) {
    const Span& worst = by_weights ? weights : outputs;
    return say(Cause::channel_span,
               "channel " + std::to_string(worst.largest) + "'s " + (by_weights ? "weights" : "outputs") + " span " +
                   brief(worst.ratio) + "x channel " + std::to_string(worst.middle) + "'s, and all share one scale",
               s.equalizable ? "equalize(fuse(float_model, Aim::inference)), then quantize again; or " + entry(d.path, recipe)
                             : entry(d.path, recipe));
  }
  if (s.grid && e.clipping >= kDominant * own) {
    const bool top = s.clipped_high * std::abs(s.high - s.grid_high) >= s.clipped_low * std::abs(s.grid_low - s.low);
    const double unused = (top ? std::max(0.0, s.low - s.grid_low) : std::max(0.0, s.grid_high - s.high)) / width;
    const std::string clips = brief_percent(top ? s.clipped_high : s.clipped_low) + " of outputs clip at the " +
                              (top ? "top" : "bottom") + ": codes cover " + grid + ", data reaches " + brief(top ? s.high : s.low);
    if (unused > kUnused)
      return say(
          Cause::zero_point,
          clips + ", while " + brief_percent(unused) + " of the codes at the other end are never used: the zero point is off",
          "calibrate(prepared, data) and convert(prepared) again: " + entry(d.path, recipe));
    return say(Cause::range_too_narrow, clips + ": calibration did not see such values",
               "calibrate with data that reaches " + brief(top ? s.high : s.low) + ", " +
                   entry(d.path, s.device ? recipe : "default_per_channel_qconfig()"));
  }
  const double used = width > 0 ? (std::min(s.high, s.grid_high) - std::max(s.low, s.grid_low)) / width : 1;
  if (s.grid && e.rounding >= kDominant * own && used < kWide)
    return say(Cause::range_too_wide,
               "codes cover " + grid + ", outputs only " + seen + ": " + brief_percent(used) + " of the range is used",
               "calibrate again: " + entry(d.path, recipe));
  if (s.has_weights && e.bias >= kDominant * own && e.bias >= e.rounding)
    return say(
        Cause::bias,
        "rounding its weights moves the mean: channel " + std::to_string(s.worst_bias_channel) + " by " + brief(s.worst_bias),
        "correct_bias(float_model, int8, data)");
  const bool mend = needs_mending(e, s);
  const std::string end = mend ? "" : "; that is what 8 bits cost";
  if (s.has_weights && e.weight >= e.rounding)
    return say(Cause::weight_rounding,
               brief_percent(e.weight / own) + " of its own error is rounding of " +
                   (s.per_tensor_weights ? "per-tensor" : "per-channel") + " weights" + end,
               !mend                  ? ""
               : s.per_tensor_weights ? entry(d.path, recipe)
                                      : less_rounding(s));
  say(Cause::activation_rounding,
      brief_percent(e.rounding / own) + " of its own error is rounding of its outputs to " + grid +
          (mend     ? ""
           : s.wide ? "; that is what 16 bits cost"
                    : end),
      mend ? less_rounding(s) : "");
}

}  // namespace octet

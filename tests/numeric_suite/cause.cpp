// SPDX-License-Identifier: Apache-2.0
// The rules that name a cause, on both sides of every threshold that docs/numeric_suite.md gives.
#include "numeric_suite/cause.h"

#include <cmath>

#include "tests/catch.h"

using namespace octet;

namespace {

/// A layer with weights by channel, codes 0..1 all in use, own error 1 that is half weights and half rounding.
Symptoms plain() {
  Symptoms s;
  s.split.weight = s.split.rounding = 0.5;
  s.high = s.grid_high = 1;
  s.weight_ranges = s.output_ranges = {1, 1, 1};
  s.has_weights = s.grid = true;
  return s;
}

LayerDiagnosis named(const Symptoms& s) {
  LayerDiagnosis d{0, "layer", "conv2d"};
  name_cause(d, s);
  return d;
}
Cause cause_of(const Symptoms& s) { return named(s).cause; }

}  // namespace

TEST_CASE("One channel above 15 times the median one is a span, at 15 it is not") {
  for (const double ratio : {14.9, 15.1}) {
    Symptoms outputs = plain(), weights = plain();
    outputs.output_ranges = {ratio, 1, 1, 0};  // a dead channel is no small one
    weights.weight_ranges = {1, ratio, 1};
    CHECK((cause_of(outputs) == Cause::channel_span) == (ratio > 15));
    CHECK(cause_of(weights) == Cause::weight_rounding);  // each channel has its own scale
    weights.per_tensor_weights = true;
    CHECK((cause_of(weights) == Cause::channel_span) == (ratio > 15));
  }
  Symptoms even = plain();
  even.output_ranges = {1, 1, 2, 16};  // of an even number of channels the lower one in the middle counts
  CHECK(cause_of(even) == Cause::channel_span);
  CHECK(named(even).words.find("channel 3's outputs span 16x channel") != std::string::npos);
  Symptoms clipped = plain();
  clipped.output_ranges = {100, 1, 1};
  clipped.clipped_high = 0.1, clipped.high = 2;
  for (const double clipping : {0.9, 1.1}) {  // half of the own error
    clipped.split.clipping = clipping;
    CHECK((cause_of(clipped) == Cause::channel_span) == (clipping < 1));
  }
}

TEST_CASE("A quarter of the own error makes clipping the cause, and an unused end of 15 % the zero point") {
  for (const double share : {0.24, 0.26}) {
    Symptoms s = plain();
    s.split.clipping = share / (1 - share);  // of the own error
    s.clipped_high = 0.01, s.high = 1.5;
    CHECK((cause_of(s) == Cause::range_too_narrow) == (share > 0.25));
    for (const double unused : {0.14, 0.16}) {
      s.low = unused;
      const Cause expected = unused > 0.15 ? Cause::zero_point : Cause::range_too_narrow;
      CHECK((cause_of(s) == expected) == (share > 0.25));
      Symptoms bottom = s;  // the same at the other end
      std::swap(bottom.clipped_low, bottom.clipped_high);
      bottom.low = -0.5, bottom.high = 1 - unused;
      CHECK((cause_of(bottom) == expected) == (share > 0.25));
    }
  }
}

TEST_CASE("Outputs that reach less than 40 % of the codes, where rounding is a quarter of the error, have too wide a range") {
  for (const double used : {0.39, 0.41})
    for (const double rounding : {0.24, 0.26}) {
      Symptoms s = plain();
      s.split.weight = 1 - rounding, s.split.rounding = rounding;
      s.high = used;
      CHECK((cause_of(s) == Cause::range_too_wide) == (used < 0.4 && rounding > 0.25));
    }
}

TEST_CASE("A bias is the cause with a quarter of the error: stored wrong, or moved by rounding more than outputs are rounded") {
  for (const double share : {0.24, 0.26}) {
    Symptoms s = plain();
    s.split = {.weight = 0.5, .bias = share, .rounding = 0.5 - share};
    CHECK((cause_of(s) == Cause::bias) == (share > 0.25));
    CHECK(named(s).words.find("rounding its weights") == (share > 0.25 ? 0 : std::string::npos));
    s.split = {.weight = 0.2, .bias = share, .rounding = 0.8 - share};
    CHECK(cause_of(s) == Cause::activation_rounding);
    for (const double stored : {0.49, 0.51}) {  // of the bias part
      s.stored_bias = stored * share;
      CHECK((cause_of(s) == Cause::bias) == (share > 0.25 && stored > 0.5));
    }
  }
}

TEST_CASE(
    "What eight bits cost is advised against at 30 dB and a tenth of the noise, or at half the noise of an output below 30 dB") {
  for (const double own_db : {29.9, 30.1})
    for (const double share : {0.09, 0.11, 0.49, 0.51})
      for (const double network_db : {29.9, 30.1}) {
        Symptoms s = plain();
        s.signal = std::pow(10, own_db / 10);
        s.share = share, s.network_sqnr_db = network_db;
        s.island = {"layer", "next"};
        INFO(own_db << " dB, share " << share << ", network " << network_db);
        const bool expected = (own_db < 30 && share > 0.1) || (network_db < 30 && share > 0.5);
        CHECK(needs_mending(s.split, s) == expected);
        CHECK(named(s).mend == (expected ? "{\"layer\", std::nullopt}, {\"next\", std::nullopt}" : ""));
        CHECK((named(s).words.find("what 8 bits cost") == std::string::npos) == expected);
        s.island.clear();
        CHECK((named(s).mend.find("Aim::training") != std::string::npos) == expected);
        s.per_tensor_weights = true;
        CHECK(named(s).mend == (expected ? "{\"layer\", octet_qconfig()}" : ""));
      }
  Symptoms silent = plain();  // a layer that is all zero in float
  silent.share = 0.2, silent.network_sqnr_db = 40;
  CHECK(needs_mending(silent.split, silent));
  silent.split = {};
  CHECK(!needs_mending(silent.split, silent));
  CHECK(named(silent).words == "no error of its own");
}

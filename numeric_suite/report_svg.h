// SPDX-License-Identifier: Apache-2.0
// Drawings as SVG text: the report's, and that of a network, which the command draws, too; not installed.
#pragma once

#include <span>
#include <string>

#include "numeric_suite/report.h"

namespace octet::svg {

/// Text made safe for HTML and SVG.
std::string escaped(std::string_view);
/// Two bars a layer: end to end and own SQNR.
std::string sqnr_bars(const ModelComparison&);
/// One stacked bar a layer: shares of the error at its output by origin.
std::string error_split(const Diagnosis&);
/// Float (outline) and dequantized (filled) values by code, with the ends of the grid marked.
std::string histogram(const Metrics&);
/// A vertical line a channel from its smallest to its largest value; the grid's ends dashed.
std::string channel_ranges(const Metrics&);
/// One row a module, int8 and float regions coloured, crossings marked, skips drawn as arcs.
std::string wiring(std::span<const WiringRow>);

}  // namespace octet::svg

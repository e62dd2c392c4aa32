// SPDX-License-Identifier: Apache-2.0
// How two lists go together; private to numeric_suite/.
#pragma once

#include <vector>

namespace octet {

/// Of two lists of equal length.
double covariance(const std::vector<double>& a, const std::vector<double>& b);
/// Spearman's rank correlation; ties have the mean of their ranks. NaN for fewer than three values or a list of equals.
double spearman(const std::vector<double>& a, const std::vector<double>& b);

}  // namespace octet

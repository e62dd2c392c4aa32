// SPDX-License-Identifier: Apache-2.0
// Losses and the accuracy that goes with them.
#pragma once

#include "engine/autograd.h"

namespace octet {

/// Mean over the batch of -log softmax(logits)[label]; logits [n, classes], labels i32 [n]. Throws for a label out of range.
Var cross_entropy(const Var& logits, const Tensor& labels, double label_smoothing = 0);
/// Mean of the squared difference over all elements.
Var mse_loss(const Var& x, const Tensor& target);
/// Number of rows whose largest logit (the first of equals) stands at the label.
int64_t count_correct(const Tensor& logits, const Tensor& labels);

}  // namespace octet

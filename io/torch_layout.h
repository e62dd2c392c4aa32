// SPDX-License-Identifier: Apache-2.0
// The parameters of a model as PyTorch's state dict has them: names, shapes, and what becomes of the values. Private to io/.
#pragma once

#include <string>
#include <vector>

#include "engine/model.h"

namespace octet {

/// How a tensor of PyTorch's becomes octet's: seen as `view`, its axes in `order`, then as octet's shape, then the last axis by
/// `features` (empty: as it is).
struct TorchLayout {
  Shape view, order;
  std::vector<int64_t> features{};
};

struct TorchParam {
  int module = 0;
  std::string param;        ///< in the module
  std::string key;          ///< in the state dict, without a prefix
  std::string other_key{};  ///< it may have instead, or empty
  Shape own, shape;         ///< here and there
  Shape other_shape{};      ///< that may be there instead, or empty
  TorchLayout layout{};
};

/// Every parameter that PyTorch has, too, in list order; a tied module has none. Throws naming the module whose parameters are
/// codes, or in an order that cannot be told.
std::vector<TorchParam> torch_params(const Model&);

/// Elements of one float type.
Tensor from_torch(const Tensor&, const TorchParam&);
Tensor to_torch(const Tensor&, const TorchParam&);

}  // namespace octet

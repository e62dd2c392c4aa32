// SPDX-License-Identifier: Apache-2.0
// Gathering the rows of a batch and turning bytes into floats.
#include "engine/data.h"

#include <algorithm>
#include <numeric>

#include "engine/random.h"
#include "kernels/float_scope.h"

namespace octet {

DataLoader::DataLoader(Tensor inputs, Tensor labels, DataLoaderOptions options)
    : inputs_(std::move(inputs)), labels_(std::move(labels)), options_(options) {
  check(inputs_.dtype() == DType::f32 || inputs_.dtype() == DType::u8, "DataLoader: inputs must be f32 or u8, got ",
        to_string(inputs_.dtype()));
  check(labels_.dtype() == DType::i32 && labels_.rank() == 1, "DataLoader: labels must be i32 [n], got ",
        to_string(labels_.dtype()), " ", to_string(labels_.shape()));
  check(inputs_.rank() > 0 && inputs_.size(0) == labels_.size(0), "DataLoader: ", to_string(inputs_.shape()), " inputs for ",
        labels_.numel(), " labels");
  check(options_.batch > 0, "DataLoader: batch must be positive, got ", options_.batch);
  start(0);
}

int64_t DataLoader::batches() const {
  return options_.drop_last ? samples() / options_.batch : (samples() + options_.batch - 1) / options_.batch;
}

void DataLoader::start(int64_t epoch) {
  if (options_.shuffle) {
    Generator generator(options_.seed + static_cast<uint64_t>(epoch) * 0x9E3779B9U);
    order_ = permutation(generator, samples());
  } else if (order_.empty()) {
    order_.resize(static_cast<size_t>(samples()));
    std::iota(order_.begin(), order_.end(), int64_t{0});
  }
}

Batch DataLoader::batch(int64_t index) const {
  const FloatScope environment;
  check(index >= 0 && index < batches(), "DataLoader: batch ", index, " of ", batches());
  const int64_t begin = index * options_.batch, end = std::min(begin + options_.batch, samples());
  Shape shape = inputs_.shape();
  shape[0] = end - begin;
  Batch batch{Tensor(shape, DType::f32), Tensor({end - begin}, DType::i32)};
  const int64_t row = inputs_.numel() / inputs_.size(0);
  float* to = batch.inputs.mutable_data<float>().data();
  const auto labels = batch.labels.mutable_data<int32_t>();
  for (int64_t i = begin; i < end; ++i, to += row) {
    const int64_t from = order_[i];
    labels[i - begin] = labels_.data<int32_t>()[from];
    const auto convert = [&](auto values) {
      for (int64_t j = 0; j < row; ++j) to[j] = static_cast<float>(values[from * row + j]) * options_.scale + options_.shift;
    };
    if (inputs_.dtype() == DType::u8)
      convert(inputs_.data<uint8_t>());
    else
      convert(inputs_.data<float>());
  }
  return batch;
}

}  // namespace octet

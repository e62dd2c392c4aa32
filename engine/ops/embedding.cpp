// SPDX-License-Identifier: Apache-2.0
// Embedding: rows of a table by their numbers.
#include "engine/ops/table.h"

namespace octet {
namespace {

/// The numbers as rows. Throws naming `path` for one that is none.
template <class T>
std::vector<int64_t> rows_of(std::span<const T> numbers, int64_t count, std::string_view path) {
  std::vector<int64_t> rows;
  rows.reserve(numbers.size());
  for (size_t i = 0; i < numbers.size(); ++i) {
    const T n = numbers[i];
    if (!(n >= 0 && n < static_cast<T>(count)) || n != static_cast<T>(static_cast<int64_t>(n)))
      fail(path, ": element ", i, " is ", n, ", expected the number of a row, 0..", count - 1);
    rows.push_back(static_cast<int64_t>(n));
  }
  return rows;
}

}  // namespace

std::vector<Shape> Embedding::shapes(const ShapeCall& call) const {
  call.expect_inputs(1);
  check(count > 0 && features > 0 && count < int64_t{1} << 24, call.path, ": a table of ", count, " rows of ", features,
        " features; 1 to 2^24 - 1 rows have numbers that a float holds");
  Shape y = call.inputs[0];
  y.push_back(features);
  return {y};
}

void Embedding::init(Params& params, Generator& g) const { params.insert_or_assign("weight", randn(g, {count, features})); }

std::vector<Var> Embedding::forward(const Call& call) const {
  const Tensor& x = call.inputs[0].value();
  const Var table = call.param("weight");
  Shape shape = x.shape();
  shape.push_back(features);
  return {dispatch_float(x.dtype(), call.path, [&]<class T>() {
    check(table.dtype() == x.dtype(), call.path, ": input is ", to_string(x.dtype()), ", weight is ", to_string(table.dtype()));
    const std::vector<int64_t> rows = rows_of(x.data<T>(), count, call.path);
    Tensor y(shape, x.dtype());
    const T* from = table.value().data<T>().data();
    T* to = y.mutable_data<T>().data();
    for (const int64_t row : rows) to = std::copy_n(from + row * features, features, to);
    auto vjp = [rows, of = table.shape(), n = x.shape(), features = features](const Tensor& grad, const Needs& needs) {
      std::vector<Tensor> grads(2);
      if (needs[0]) grads[0] = Tensor::zeros(n, grad.dtype());
      if (needs[1]) {
        grads[1] = Tensor::zeros(of, grad.dtype());
        const T* dy = grad.data<T>().data();
        T* d = grads[1].template mutable_data<T>().data();
        for (const int64_t row : rows)
          for (int64_t f = 0; f < features; ++f) d[row * features + f] += *dy++;
      }
      return grads;
    };
    return Var::made(std::move(y), {call.inputs[0], table}, std::move(vjp));
  })};
}

}  // namespace octet

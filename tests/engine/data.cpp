// SPDX-License-Identifier: Apache-2.0
// Loaders and batches: how many there are, what is in each, what is left of them; and how often a generator is asked.
#include "engine/data.h"

#include <algorithm>

#include "engine/batches.h"
#include "engine/random.h"
#include "tests/catch.h"

using namespace octet;
using Catch::Matchers::Contains;

namespace {

DataLoader numbered(int64_t n, DataLoaderOptions options) {
  Tensor x(Shape{n, 1}, DType::f32), y(Shape{n}, DType::i32);
  for (int64_t i = 0; i < n; ++i) {
    x.mutable_data<float>()[i] = static_cast<float>(i);
    y.mutable_data<int32_t>()[i] = static_cast<int32_t>(i);
  }
  return {x, y, options};
}

Model two_layers() {
  Model m;
  m.add("x", Input{{1, 3}});
  m.add("a", Linear{3, 4});
  m.add("b", Linear{4, 2});
  return m;
}

}  // namespace

TEST_CASE("a loader has as many batches as its samples fill, the last one only if it is kept") {
  for (const int64_t n : {1, 5, 11, 12, 13, 24})
    for (const int64_t batch : {1, 5, 12, 30})
      for (const bool drop : {true, false}) {
        CAPTURE(n, batch, drop);
        DataLoader loader = numbered(n, {.batch = batch, .drop_last = drop});
        int64_t full = 0, seen = 0;
        while ((full + 1) * batch <= n) ++full;
        REQUIRE(loader.batches() == full + (!drop && full * batch < n ? 1 : 0));
        for (int64_t b = 0; b < loader.batches(); ++b) {
          const Batch got = loader.batch(b);
          CHECK(got.labels.numel() == (b < full ? batch : n - full * batch));
          for (const int32_t label : got.labels.data<int32_t>()) CHECK(label == seen++);
        }
        CHECK(seen == (drop ? full * batch : n));
        CHECK_THROWS_WITH(loader.batch(loader.batches()), Contains("of " + std::to_string(loader.batches())));
      }
}

TEST_CASE("first and rest take batches apart, also beyond their ends") {
  const std::vector<Tensor> list{Tensor::full({1, 3}, 0), Tensor::full({1, 3}, 1), Tensor::full({1, 3}, 2)};
  const Model m = two_layers();
  const Batches held = list, made(3, [&](int64_t i) { return list.at(static_cast<size_t>(i)); });
  for (const Batches& all : {held, made})
    for (const int64_t n : {0, 1, 2, 3, 4, 100}) {
      CAPTURE(n);
      const Batches first = all.first(n), rest = all.rest(n);
      CHECK(first.count() == std::min<int64_t>(n, 3));
      CHECK(rest.count() == 3 - std::min<int64_t>(n, 3));
      for (int64_t i = 0; i < first.count(); ++i) CHECK(first.batch(i, m, "test")[0].data<float>()[0] == static_cast<float>(i));
      for (int64_t i = 0; i < rest.count(); ++i) CHECK(rest.batch(i, m, "test")[0].data<float>()[0] == static_cast<float>(n + i));
      CHECK_THROWS_WITH(first.batch(first.count(), m, "test"), Contains("test: batch"));
    }
  CHECK_THROWS_WITH(held.rest(-1), Contains("got -1"));
  CHECK(held.rest(1).first(1).batch(0, m, "test")[0].data<float>()[0] == 1);
  CHECK(held.held());
  CHECK(!made.held());
}

TEST_CASE("initialize draws every module once, those that are named first") {
  const auto after = [](const Model& m, const std::vector<std::string>& paths) {
    Model drawn = m;
    Generator g(3);
    initialize(drawn, g, paths);
    return std::pair(std::move(drawn), g.next32());
  };
  Generator count(3);
  count.skip((3 * 4 + 4) + (4 * 2 + 2));
  const uint32_t next = count.next32();
  const Model m = two_layers();
  const auto [in_order, a] = after(m, {});
  const auto [b_first, b] = after(m, {"b"});
  const auto [both, c] = after(m, {"b", "a"});
  CHECK(a == next);
  CHECK(b == next);
  CHECK(c == next);
  const auto first_of = [](const Model& model, const char* path) { return model[path].params.at("weight").data<float>()[0]; };
  Generator g(3);
  CHECK(first_of(in_order, "a") == uniform(g, {1}, -1 / std::sqrt(3.0), 1 / std::sqrt(3.0)).item());
  CHECK(first_of(b_first, "b") == first_of(both, "b"));
  CHECK(first_of(b_first, "a") == first_of(both, "a"));
  CHECK(first_of(b_first, "b") != first_of(in_order, "b"));
}

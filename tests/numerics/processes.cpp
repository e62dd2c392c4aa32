// SPDX-License-Identifier: Apache-2.0
// First use from many threads at once, and forks of a process whose pool runs: a program of its own, because first use comes once.
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <thread>

#include "compile/program.h"
#include "kernels/parallel.h"
#include "quant/quantize.h"
#include "tests/catch.h"

using namespace octet;

namespace {

/// Everything that is chosen, tested or cached at first use: float kernels, oneDNN, the native engine, the pool, plans.
std::vector<std::byte> everything() {
  Model m;
  m.add("x", Input{{4, 16, 16, 8}});
  m.add("conv", Conv2d{.in = 8, .out = 32, .padding = pad_all(1), .act = Activation::relu});
  m.add("dw", Conv2d{.in = 32, .out = 32, .padding = pad_all(1), .groups = 32, .act = Activation::relu});
  m.add("mean", Pool2d{.kind = Pool::adaptive_average});
  m.add("flat", Reshape{{0, -1}});
  m.add("head", Linear{32, 10});
  Generator g(3);
  initialize(m, g);
  const Tensor x = randn(g, {4, 16, 16, 8});
  Model p = prepare(m, {{"", octet_qconfig()}});
  calibrate(p, {&x, 1});
  const Model int8 = convert(p);
  std::vector<std::byte> bytes;
  for (const QEngine engine : {QEngine::automatic, QEngine::native, QEngine::reference}) {
    Session session(Program::bind(int8, engine), {x.shape()}, 2);
    const Tensor y = session.run({&x, 1})[0];
    const auto* from = static_cast<const std::byte*>(y.raw());
    bytes.insert(bytes.end(), from, from + y.bytes());
  }
  return bytes;
}

/// What a child came to: 0 the same bytes, 1 others, 2 an exception; -1 if it was killed or had to be after 5 seconds.
int in_child(const std::vector<std::byte>& expected) {
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    int result = 2;
    try {
      result = everything() == expected ? 0 : 1;
    } catch (...) {
    }
    std::exit(result);  // with the exit handlers: the pool is stopped here
  }
  int status = 0;
  for (int waited = 0; waited < 500; ++waited) {
    if (waitpid(child, &status, WNOHANG) == child) return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    usleep(10'000);
  }
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  return -1;
}

}  // namespace

TEST_CASE("first use from eight threads at once gives one result") {
  set_threads(2);
  std::vector<std::vector<std::byte>> results(8);
  std::vector<std::thread> threads;
  std::atomic<int> waiting{0};
  for (auto& result : results)
    threads.emplace_back([&] {
      for (++waiting; waiting < 8;) std::this_thread::yield();
      result = everything();
    });
  for (std::thread& t : threads) t.join();
  for (const auto& result : results) CHECK(result == results[0]);
  CHECK(results[0].size() == 3 * 40);
}

TEST_CASE("a child forked while the pool is idle or at work computes the same, and ends") {
  set_threads(2);
  const std::vector<std::byte> expected = everything();
  for (int i = 0; i < 3; ++i) CHECK(in_child(expected) == 0);
  std::atomic<bool> stop{false};
  std::thread busy([&] {  // workers go to sleep and wake up all the time
    while (!stop) {
      parallel(1 << 16, 1, [](int, int64_t, int64_t) {});
      usleep(35);
    }
  });
  std::thread allocating([&] {
    while (!stop) Tensor(Shape{100'000}, DType::f32);
  });
  int wrong = 0;
  for (int i = 0; i < 100; ++i) wrong += in_child(expected) == 0 ? 0 : 1;
  stop = true;
  busy.join();
  allocating.join();
  CHECK(wrong == 0);
  CHECK(everything() == expected);
}

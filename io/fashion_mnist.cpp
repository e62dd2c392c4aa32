// SPDX-License-Identifier: Apache-2.0
// Reads the four files and checks what training would trip over: image size, labels in range, one label per image.
#include "io/fashion_mnist.h"

#include <filesystem>

#include "io/idx.h"
#include "kernels/float_scope.h"

namespace octet {
namespace {

constexpr int64_t kSide = 28;
constexpr int kClasses = 10;

std::string existing(const std::string& folder, const char* file) {
  const std::string path = (std::filesystem::path(folder) / file).string();
  std::error_code ignored;
  check(std::filesystem::exists(path, ignored), path,
        ": the Fashion-MNIST data set is missing; install the Debian package dataset-fashion-mnist (./dev deps does that)");
  return path;
}

Tensor images(const std::string& folder, const char* file) {
  const std::string path = existing(folder, file);
  const Tensor t = load_idx(path);
  check(t.rank() == 3 && t.size(1) == kSide && t.size(2) == kSide, path, ": expected images of shape [n, 28, 28], got ",
        to_string(t.shape()));
  return t.reshape({t.size(0), kSide, kSide, 1});
}

Tensor labels(const std::string& folder, const char* file, const Tensor& images) {
  const std::string path = existing(folder, file);
  const Tensor t = load_idx(path);
  check(t.rank() == 1, path, ": expected labels of shape [n], got ", to_string(t.shape()));
  check(t.size(0) == images.size(0), path, ": has ", t.size(0), " labels for ", images.size(0), " images");
  const auto values = t.data<uint8_t>();
  for (size_t i = 0; i < values.size(); ++i)
    check(values[i] < kClasses, path, ": label ", i, " is ", int{values[i]}, ", expected 0..", kClasses - 1);
  return t.to(DType::i32);
}

}  // namespace

FashionMnist load_fashion_mnist(const std::string& folder) {
  const FloatScope environment;
  FashionMnist d;
  d.train_images = images(folder, "train-images-idx3-ubyte.gz");
  d.train_labels = labels(folder, "train-labels-idx1-ubyte.gz", d.train_images);
  d.test_images = images(folder, "t10k-images-idx3-ubyte.gz");
  d.test_labels = labels(folder, "t10k-labels-idx1-ubyte.gz", d.test_images);
  return d;
}

}  // namespace octet

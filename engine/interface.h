// SPDX-License-Identifier: Apache-2.0
// What the values at a network's edges are for its users: names of inputs and outputs, and how pictures become inputs. Nothing here
// changes what a model computes; files keep it (io/model_file.h), programs ask for it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace octet {

/// How a picture gets the height and width of an input.
enum class Resize : uint8_t {
  stretch,  ///< to exactly that size, whatever its proportions
  crop,     ///< so that the shorter side fits (or has Preprocessing::shorter pixels), then its centre
  none,     ///< a picture of another size is refused
};

/// The order of the axes in arrays that users have: the network's own (N,H,W,C), or N,C,H,W, which is transposed first.
enum class Layout : uint8_t { nhwc, nchw };

/// From a picture to values: (pixel / 255 - mean[c]) / std[c], after it was resized.
struct Preprocessing {
  std::vector<float> mean{}, std{};  ///< one for all channels or one a channel; empty: 0 and 1
  Resize resize = Resize::stretch;
  int64_t shorter = 0;  ///< of Resize::crop: pixels of the shorter side before the centre is cut out; 0: as many as the input has
  Layout layout = Layout::nhwc;
  bool operator==(const Preprocessing&) const = default;
};

/// Empty lists say nothing; others have an entry for each input (in the order of the Input modules) or output.
struct Interface {
  struct Port {
    std::string name{};
    std::optional<Preprocessing> preprocessing{};  ///< none: not known
    bool operator==(const Port&) const = default;
  };
  std::vector<Port> inputs{};
  std::vector<std::string> outputs{};
  bool empty() const { return inputs.empty() && outputs.empty(); }
  bool operator==(const Interface&) const = default;
};

}  // namespace octet

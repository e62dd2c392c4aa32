// SPDX-License-Identifier: Apache-2.0
// Which values may be one memory, and where it lies: shared by sessions and firmware. A caller adds values in the order in which
// they come to be and says of each what it may lie on; times are any numbers that grow.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "compile/arena_plan.h"

namespace octet {

class MemoryPlanner {
 public:
  struct Value {
    int64_t bytes = 0;
    int last = 0;        ///< time of the last read
    int block = -1;      ///< -1: it has no planned memory
    int64_t offset = 0;  ///< in the block
  };
  /// Memory that one or more values share.
  struct Block {
    int64_t bytes = 0;
    int first = 0, last = 0;
    bool apart = false;  ///< its memory is not the arena's
    bool given = false;  ///< it is an input's: only to be read
    int64_t offset = 0;  ///< in the arena
  };
  /// What one kernel reads and writes, as its planner sees it.
  struct Access {
    std::span<const int> inputs;  ///< values
    uint8_t overwrites = 0;       ///< inputs on which the output may lie, by bit
    int64_t output_bytes = 0;     ///< that it writes, from the value's begin
    int time = 0;
  };

  std::vector<Value> values;
  std::vector<Block> blocks;

  /// A value without memory yet.
  int add(int64_t bytes, int last);
  /// Memory of its own from this time on.
  void open(int value, int time);
  /// Memory that is the caller's, never written to and never moved.
  void open_given(int value, int time);
  /// The memory of value `on`, from this byte on.
  void join(int value, int on, int64_t offset = 0);
  /// Takes the memory of an input that dies with this kernel run, or else a block of its own. Returns whether it took one over.
  bool open_or_overwrite(int value, const Access&);
  /// Moves a value that fills its block into another value's block, if the place there has this alignment: a part of a
  /// concatenation that would be copied unchanged is computed where the copy would put it.
  bool absorb(int part, int whole, int64_t offset, int64_t alignment);
  /// Whether the value fills its block.
  bool fills(int value) const;

  /// Places the blocks, and `scratch` besides; the offsets returned are those of `scratch`.
  ArenaPlan lay_out(std::span<const Lifetime> scratch, int64_t alignment, int64_t search_nodes);

 private:
  Value& at(int value) { return values[static_cast<size_t>(value)]; }
  const Value& at(int value) const { return values[static_cast<size_t>(value)]; }
  bool overlap(const Value&, const Value&) const;
  bool may_overwrite(int value, const Access&, size_t input) const;
};

}  // namespace octet

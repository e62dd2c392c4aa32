// SPDX-License-Identifier: Apache-2.0
// Blocks of values that share memory, and their places in the arena.
#include "compile/memory_planner.h"

#include <algorithm>

namespace octet {

int MemoryPlanner::add(int64_t bytes, int last) {
  values.push_back({.bytes = bytes, .last = last});
  return static_cast<int>(values.size()) - 1;
}

void MemoryPlanner::open(int value, int time) {
  Value& own = at(value);
  own.block = static_cast<int>(blocks.size()), own.offset = 0;
  blocks.push_back({.bytes = own.bytes, .first = time, .last = std::max(time, own.last)});
}

void MemoryPlanner::open_given(int value, int time) {
  open(value, time);
  blocks.back().apart = blocks.back().given = true;
}

void MemoryPlanner::join(int value, int on, int64_t offset) {
  Value& own = at(value);
  own.block = at(on).block, own.offset = at(on).offset + offset;
  int& last = blocks[static_cast<size_t>(own.block)].last;
  last = std::max(last, own.last);
}

bool MemoryPlanner::overlap(const Value& a, const Value& b) const {
  return a.block >= 0 && a.block == b.block && a.offset < b.offset + b.bytes && b.offset < a.offset + a.bytes;
}

/// The kernel allows it, and nobody needs the old bytes any more.
bool MemoryPlanner::may_overwrite(int value, const Access& access, size_t input) const {
  const Value &in = at(access.inputs[input]), &out = at(value);
  const auto allowed = [&](size_t k) { return (access.overwrites >> k & 1) != 0; };
  if (!allowed(input) || in.block < 0 || in.bytes != out.bytes || access.output_bytes != out.bytes) return false;
  if (blocks[static_cast<size_t>(in.block)].given) return false;
  for (const Value& other : values)
    if (&other != &out && overlap(in, other) && other.last > access.time) return false;
  for (size_t k = 0; k < access.inputs.size(); ++k) {
    const Value& other = at(access.inputs[k]);
    if (overlap(in, other) && !(allowed(k) && other.offset == in.offset && other.bytes == in.bytes)) return false;
  }
  return true;
}

bool MemoryPlanner::open_or_overwrite(int value, const Access& access) {
  for (size_t k = 0; k < access.inputs.size(); ++k)
    if (may_overwrite(value, access, k)) {
      join(value, access.inputs[k]);
      return true;
    }
  open(value, access.time);
  return false;
}

bool MemoryPlanner::fills(int value) const {
  const Value& own = at(value);
  return own.block >= 0 && own.offset == 0 && own.bytes == blocks[static_cast<size_t>(own.block)].bytes;
}

bool MemoryPlanner::absorb(int part, int whole, int64_t offset, int64_t alignment) {
  const int from = at(part).block, into = at(whole).block;
  const int64_t place = at(whole).offset + offset;
  if (from < 0 || from == into || !fills(part) || place % alignment != 0) return false;
  if (blocks[static_cast<size_t>(from)].given) return false;
  for (Value& v : values)
    if (v.block == from) v.block = into, v.offset += place;
  Block &gone = blocks[static_cast<size_t>(from)], &to = blocks[static_cast<size_t>(into)];
  to.first = std::min(to.first, gone.first), to.last = std::max(to.last, gone.last);
  gone.bytes = 0;
  return true;
}

ArenaPlan MemoryPlanner::lay_out(std::span<const Lifetime> scratch, int64_t alignment, int64_t search_nodes) {
  std::vector<Lifetime> lifetimes;
  std::vector<size_t> planned;
  for (size_t b = 0; b < blocks.size(); ++b)
    if (!blocks[b].apart && blocks[b].bytes > 0) {
      planned.push_back(b);
      lifetimes.push_back({blocks[b].bytes, blocks[b].first, blocks[b].last});
    }
  lifetimes.insert(lifetimes.end(), scratch.begin(), scratch.end());
  ArenaPlan arena = plan_arena(lifetimes, alignment, search_nodes);
  for (size_t k = 0; k < planned.size(); ++k) blocks[planned[k]].offset = arena.offsets[k];
  arena.offsets.erase(arena.offsets.begin(), arena.offsets.begin() + static_cast<std::ptrdiff_t>(planned.size()));
  return arena;
}

}  // namespace octet

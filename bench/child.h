// SPDX-License-Identifier: Apache-2.0
// A measurement in a process of its own: its peak memory is its own, and what went before cannot warm or disturb it.
#pragma once

#include <functional>
#include <string>

namespace octet::bench {

/// Runs `work` in a forked child and returns its answer; throws what it threw (as text), or that it died. The caller must not have
/// started threads.
std::string in_child(const std::function<std::string()>& work);

/// Resident memory of this process, bytes.
int64_t resident_memory();

}  // namespace octet::bench

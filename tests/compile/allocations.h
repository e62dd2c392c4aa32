// SPDX-License-Identifier: Apache-2.0
// Counts what this program allocates with operator new, and can make one allocation fail.
#pragma once

#include <cstdint>

namespace allocations {

/// Calls of operator new by any thread so far.
int64_t count();
/// What those calls asked for.
int64_t bytes();
/// The n-th call from now on by this thread throws std::bad_alloc, once; 0 cancels.
void fail_after(int64_t n);

}  // namespace allocations

// SPDX-License-Identifier: Apache-2.0
// Memory behind tensors: 64-byte aligned, recycled. Training allocates the same large blocks every step; handing them back to the
// system each time costs a page fault per 4 KiB, so a bounded number of bytes is kept for reuse.
#pragma once

#include <cstddef>
#include <memory>

namespace octet {

/// Uninitialised bytes, aligned to 64; at least one byte is always addressable.
std::shared_ptr<std::byte> allocate_storage(size_t bytes);

/// Frees what is kept for reuse.
void release_cached_storage();

}  // namespace octet

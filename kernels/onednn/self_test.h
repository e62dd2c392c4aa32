// SPDX-License-Identifier: Apache-2.0
// A (primitive, library version) pair is trusted only after it has given the reference kernel's bytes on small cases, once a
// process.
#pragma once

#include <memory>
#include <string>

#include "kernels/kernel.h"

namespace octet::onednn {

/// make() without the self-test.
Made make_untested(const kernels::Conv2dArgs&, std::shared_ptr<const Blobs>);
Made make_untested(const kernels::LinearArgs&, std::shared_ptr<const Blobs>);

/// Empty, or what differed. Runs at the first call.
const std::string& conv2d_self_test();
const std::string& linear_self_test();

}  // namespace octet::onednn

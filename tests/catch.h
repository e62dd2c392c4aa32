// SPDX-License-Identifier: Apache-2.0
// The one place that knows which Catch2 is installed: version 2's single header or version 3's.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif

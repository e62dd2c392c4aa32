// SPDX-License-Identifier: Apache-2.0
// The main function of every test executable under Catch2 2, compiled once because that header is large; Catch2 3 brings its own.
#define CATCH_CONFIG_MAIN
#include <catch2/catch.hpp>

// SPDX-License-Identifier: Apache-2.0
// The `octet` command: from saved models to firmware images.
#include <cstdio>

#include "tools/octet/commands.h"

int main(int argc, char** argv) {
  CLI::App app("octet: firmware images of quantized models");
  app.require_subcommand(1);
  octet::cli::add_plan(app);
  octet::cli::add_image(app);
  octet::cli::add_inspect(app);
  try {
    CLI11_PARSE(app, argc, argv);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "octet: %s\n", e.what());
    return 1;
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
// The `octet` command: saved models explained, compared, and made into firmware images.
#include <cstdio>

#include "tools/octet/commands.h"

int main(int argc, char** argv) {
  CLI::App app("octet: what saved models do, what int8 costs them, and their firmware images");
  app.require_subcommand(1);
  octet::cli::add_explain(app);
  octet::cli::add_report(app);
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

// SPDX-License-Identifier: Apache-2.0
// octet image: writes a model's firmware image, as one binary file or as C source.
#include <cstdio>
#include <memory>

#include "io/image.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/program.h"

namespace octet::cli {
namespace {

struct Imaging : Planning {
  std::string output, c_folder, c_name = "model";
};

void write_text(const std::string& path, const std::string& text) {
  write_file(path, std::as_bytes(std::span(text.data(), text.size())));
}

}  // namespace

void add_image(CLI::App& app) {
  CLI::App* command = app.add_subcommand("image", "write a firmware image");
  auto options = std::make_shared<Imaging>();
  options->add(*command);
  command->add_option("-o,--output", options->output, "binary image to write");
  command->add_option("--c-source", options->c_folder, "folder for NAME.c and NAME.h");
  command->add_option("--c-name", options->c_name, "NAME: prefix of the C names")->capture_default_str();
  command->callback([options] {
    if (options->output.empty() && options->c_folder.empty()) throw CLI::RequiredError("--output, --c-source or both");
    const std::string source_base = options->c_folder.empty() ? "" : options->c_folder + "/" + options->c_name;
    tools::check_outputs(
        {options->output, source_base.empty() ? "" : source_base + ".h", source_base.empty() ? "" : source_base + ".c"},
        {options->model});
    const FirmwarePlan plan = options->plan();
    check_budget(plan, options->ram, options->flash);
    if (!options->output.empty()) write_file(options->output, image_bytes(plan));
    if (!options->c_folder.empty()) {
      const ImageSource source = image_source(plan, options->c_name);
      write_text(options->c_folder + "/" + options->c_name + ".h", source.h);
      write_text(options->c_folder + "/" + options->c_name + ".c", source.c);
    }
    std::printf("image %zu bytes, arena %lld bytes, operators:", image_bytes(plan).size(),
                static_cast<long long>(plan.arena_bytes));
    for (const std::string& op : operators(plan)) std::printf(" %s", op.c_str());
    std::printf("\n");
  });
}

}  // namespace octet::cli

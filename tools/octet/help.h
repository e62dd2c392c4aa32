// SPDX-License-Identifier: Apache-2.0
// How help is laid out.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace octet::cli {

/// CLI11's, with lines that end before a terminal does, and without the braces around what a flag stands for.
class Help : public CLI::Formatter {
 public:
  std::string make_option_name(const CLI::Option*, bool is_positional) const override;
  std::string make_option_opts(const CLI::Option*) const override;
  std::string make_option(const CLI::Option*, bool is_positional) const override;
};

}  // namespace octet::cli

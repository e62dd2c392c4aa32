// SPDX-License-Identifier: Apache-2.0
// The `octet` command: its verbs, and wrong arguments in one line.
#include <cstdio>
#include <memory>

#include "tools/interrupt.h"
#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/help.h"
#include "tools/program.h"

namespace {

using namespace octet::cli;

std::vector<std::string> names_of(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::App* command : app.get_subcommands({})) names.push_back(command->get_name());
  return names;
}

/// Names what CLI11 does not: the verb that does not exist, the option that was nearly right.
std::string words_for(const CLI::App& app, const CLI::ParseError& e, int argc, char** argv) {
  const std::vector<std::string> verbs = names_of(app);
  std::string list;
  for (const std::string& verb : verbs) list += (list.empty() ? "" : ", ") + verb;
  if (argc < 2) return "a command is missing: " + list;
  const std::string verb = argv[1];
  if (!std::ranges::count(verbs, verb))
    return (verb.starts_with("-") ? "the option \"" : "there is no command \"") + verb +
           (verb.starts_with("-") ? "\" is not known before a command" : "\"") + did_you_mean(verb, verbs) + "; the commands are " +
           list;
  std::vector<std::string> options;
  for (const CLI::Option* o : app.get_subcommand(verb)->get_options()) options.push_back(o->get_name());
  std::string hint;
  for (int i = 2; i < argc && dynamic_cast<const CLI::ExtrasError*>(&e); ++i) {
    const std::string given = std::string(argv[i]).substr(0, std::string(argv[i]).find('='));
    if (given.starts_with("--") && !std::ranges::count(options, given)) hint = did_you_mean(given, options);
    if (!hint.empty()) break;
  }
  std::string what = e.what();
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&e)) {
    const std::string option = what.substr(0, what.find(':'));
    what = option + (what.find("At Most") != std::string::npos ? " is given more than once" : " needs a value");
  }
  return verb + ": " + what + hint + "; octet " + verb + " --help says what it takes";
}

int refuse(const std::string& words, int status) {
  std::fprintf(stderr, "octet: %s\n", words.c_str());
  return status;
}

}  // namespace

int main(int argc, char** argv) {
  octet::tools::catch_interrupts();
  CLI::App app(
      "octet: models inspected, run, quantized, compared, and made into firmware\n"
      "A model is an octet model file or a TensorFlow Lite file; octet VERB --help says what a verb takes.\n"
      "Exit status: 0 done, 1 an error, 2 wrong arguments, 3 a limit that was asked for is not kept",
      "octet");
  app.formatter(std::make_shared<Help>());
  app.require_subcommand(1);
  app.set_version_flag("--version", "octet " OCTET_VERSION);
  add_inspect(app);
  add_run(app);
  add_quantize(app);
  add_eval(app);
  add_compare(app);
  add_report(app);
  add_compare_reports(app);
  add_explain(app);
  add_bench(app);
  add_prune(app);
  add_firmware(app);
  add_verify(app);
  add_check(app);
  add_help(app);
  return octet::tools::run_program("octet", [&] {
    try {
      app.parse(argc, argv);
    } catch (const CLI::Success& e) {
      return app.exit(e);  // --help, --version
    } catch (const CLI::ParseError& e) {
      return refuse(words_for(app, e, argc, argv), kUsageStatus);
    } catch (const LimitBroken& e) {
      for (const std::string& line : e.lines) refuse("limit not kept: " + line, kLimitStatus);
      return kLimitStatus;
    } catch (const Finished& e) {
      return e.status;
    }
    return octet::tools::kDone;
  });
}

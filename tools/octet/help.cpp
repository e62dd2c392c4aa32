// SPDX-License-Identifier: Apache-2.0
// octet help: the help of all verbs as a man page, as Markdown and as completion for bash, made from what the verbs say of
// themselves.
#include "tools/octet/help.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <memory>

#include "tools/octet/arguments.h"
#include "tools/octet/commands.h"
#include "tools/octet/verb.h"

namespace octet::cli {
namespace {

std::vector<const CLI::App*> verbs_of(const CLI::App& app) {
  return app.get_subcommands([](const CLI::App*) { return true; });
}

/// CLI11's own help() of an application is that of the verb at work.
std::string help_of(const CLI::App& app) {
  const std::string name = app.get_parent() == nullptr ? app.get_name() : app.get_parent()->get_name() + " " + app.get_name();
  return app.get_formatter()->make_help(&app, name, CLI::AppFormatMode::Normal);
}

/// "-" in roff is a hyphen, and a point or apostrophe at the begin of a line a command.
std::string roff(const std::string& text) {
  std::string safe;
  bool begins = true;
  for (const char c : text) {
    if (c == '\\') {
      safe += "\\e";
    } else if (c == '-') {
      safe += "\\-";
    } else {
      if (begins && (c == '.' || c == '\'')) safe += "\\&";
      safe += c;
    }
    begins = c == '\n';
  }
  return safe;
}

/// Options in the order of --help: by group, positionals apart.
std::vector<const CLI::Option*> options_of(const CLI::App& verb, bool positional) {
  return verb.get_options([=](const CLI::Option* o) { return positional ? o->get_positional() : o->nonpositional(); });
}

std::string man_page(const CLI::App& app) {
  const Help layout;
  std::string text =
      ".TH OCTET 1\n.SH NAME\noctet \\- models quantized, run, compared, and made into firmware\n.SH SYNOPSIS\n.B octet\n"
      ".I verb\n[\\fIoption\\fR|\\fIargument\\fR]...\n.SH DESCRIPTION\n" +
      roff(app.get_description()) + "\n.SH VERBS\n";
  for (const CLI::App* verb : verbs_of(app)) {
    text += fmt::format(".SS octet {}\n{}\n", roff(verb->get_name()), roff(verb->get_description()));
    for (const bool positional : {true, false})
      for (const CLI::Option* o : options_of(*verb, positional))
        text += fmt::format(".TP\n\\fB{}\\fR{}\n{}\n", roff(layout.make_option_name(o, positional)),
                            roff(layout.make_option_opts(o)), roff(o->get_description()));
    text += ".PP\n.nf\n" + roff(verb->get_footer()) + "\n.fi\n";
  }
  return text;
}

std::string markdown(const CLI::App& app) {
  std::string text =
      "# The octet command\n\nWritten by `octet help --markdown`; a test compares this page with the program.\n\n"
      "`octet help --bash-completion` prints completion for bash, `octet help --man` a man page.\n\n```\n" +
      help_of(app) + "```\n";
  for (const CLI::App* verb : verbs_of(app)) text += fmt::format("\n## {}\n\n```\n{}```\n", verb->get_name(), help_of(*verb));
  return text;
}

std::string bash_completion(const CLI::App& app) {
  std::string verbs, cases;
  for (const CLI::App* verb : verbs_of(app)) {
    verbs += (verbs.empty() ? "" : " ") + verb->get_name();
    std::string names;
    for (const CLI::Option* o : verb->get_options())
      for (const std::string& name : o->get_lnames()) names += (names.empty() ? "--" : " --") + name;
    cases += fmt::format("    {}) words=\"{}\" ;;\n", verb->get_name(), names);
  }
  return fmt::format(R"(# Completion of the octet command for bash: source this file, or put it into /etc/bash_completion.d.
_octet() {{
  local word=${{COMP_WORDS[COMP_CWORD]}} words=""
  COMPREPLY=()
  if ((COMP_CWORD == 1)); then
    COMPREPLY=($(compgen -W "{} --help --version" -- "$word"))
    return
  fi
  case ${{COMP_WORDS[1]}} in
{}  esac
  if [[ $word == -* ]]; then COMPREPLY=($(compgen -W "$words" -- "$word")); fi
}}
complete -o default -F _octet octet
)",
                     verbs, cases);
}

struct Helping {
  std::string verb;
  bool man = false, markdown = false, bash = false;
};

}  // namespace

std::string Help::make_option_name(const CLI::Option* option, bool is_positional) const {
  std::string name = CLI::Formatter::make_option_name(option, is_positional);
  for (size_t open = name.find('{'); open != std::string::npos; open = name.find('{')) {
    const size_t end = name.find('}', open);
    name.replace(open, end + 1 - open, name.substr(open, end + 1 - open) == "{-}" ? "[=FILE]" : "");
  }
  return name;
}

std::string Help::make_option_opts(const CLI::Option* option) const {
  std::string opts = CLI::Formatter::make_option_opts(option);
  // What a validator says of the values says more than their type.
  for (const std::string type : {" TEXT:", " INT:", " FLOAT:"})
    if (opts.starts_with(type)) opts = " " + opts.substr(type.size());
  return opts;
}

std::string Help::make_option(const CLI::Option* option, bool is_positional) const {
  constexpr size_t kColumns = 110;
  const size_t indent = get_column_width();
  std::string text = "  " + make_option_name(option, is_positional) + make_option_opts(option), line;
  const auto end_line = [&] {
    text += (text.empty() || text.back() == '\n' ? std::string(indent, ' ') : "") + line + "\n";
    line.clear();
  };
  text.resize(std::max(text.size() + 1, indent), ' ');
  if (text.size() > indent) {
    text.back() = '\n';
  }
  const std::string words = make_option_desc(option) + " ";
  for (size_t at = 0; at < words.size();) {
    const size_t end = words.find(' ', at);
    if (!line.empty() && indent + line.size() + 1 + end - at > kColumns) end_line();
    line += (line.empty() ? "" : " ") + words.substr(at, end - at);
    at = end + 1;
  }
  end_line();
  return text;
}

void add_help(CLI::App& app) {
  CLI::App* verb = add_verb(app, "help", "print the help of a verb, or all of it as a man page, Markdown or completion for bash",
                            {"octet help quantize", "octet help --man | man -l -", "source <(octet help --bash-completion)"});
  const auto o = std::make_shared<Helping>();
  verb->add_option("verb", o->verb, "the verb");
  verb->add_flag("--man", o->man, "a man page");
  verb->add_flag("--markdown", o->markdown, "docs/command.md");
  verb->add_flag("--bash-completion", o->bash, "completion for bash");
  verb->callback([o, &app] {
    if (o->man) std::fputs(man_page(app).c_str(), stdout);
    if (o->markdown) std::fputs(markdown(app).c_str(), stdout);
    if (o->bash) std::fputs(bash_completion(app).c_str(), stdout);
    if (o->man || o->markdown || o->bash) return;
    if (o->verb.empty()) {
      std::fputs(help_of(app).c_str(), stdout);
      return;
    }
    std::vector<std::string> names;
    for (const CLI::App* v : verbs_of(app)) names.push_back(v->get_name());
    if (std::ranges::count(names, o->verb) == 0)
      throw CLI::ValidationError("verb", "there is no verb \"" + o->verb + "\"" + did_you_mean(o->verb, names));
    std::fputs(help_of(*app.get_subcommand(o->verb)).c_str(), stdout);
  });
}

}  // namespace octet::cli

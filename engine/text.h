// SPDX-License-Identifier: Apache-2.0
// Text that octet writes: messages, tables, files. Numbers look the same whatever locale the program has set.
#pragma once

#include <locale>
#include <sstream>

namespace octet {

/// A string stream with the classic locale: no decimal commas, no grouping of thousands. The only one in the library
/// (tests/rules/source_rules.py); std::to_string is for integers.
class Text : public std::ostringstream {
 public:
  Text() { imbue(std::locale::classic()); }
};

// Of ASCII, whatever the locale calls a letter.
constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
constexpr char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

}  // namespace octet

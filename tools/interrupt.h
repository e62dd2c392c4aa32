// SPDX-License-Identifier: Apache-2.0
// Ctrl-C while a file is written: the file is finished first, so that neither half a file nor a temporary one stays behind.
#pragma once

namespace octet::tools {

/// Called once, before any work.
void catch_interrupts();

/// While one lives, SIGINT and SIGTERM wait; then they end the program as they would have.
class Undisturbed {
 public:
  Undisturbed();
  ~Undisturbed();
  Undisturbed(const Undisturbed&) = delete;
  Undisturbed& operator=(const Undisturbed&) = delete;
};

}  // namespace octet::tools

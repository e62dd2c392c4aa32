// SPDX-License-Identifier: Apache-2.0
// Handlers, because a mask would be one thread's: the pool's threads would take the signal.
#include "tools/interrupt.h"

#include <atomic>
#include <csignal>

namespace octet::tools {
namespace {

std::atomic<int> writing{0}, pending{0};

void end_by(int signal) {
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void interrupted(int signal) {
  if (writing.load() > 0)
    pending.store(signal);
  else
    end_by(signal);
}

}  // namespace

void catch_interrupts() {
  for (const int signal : {SIGINT, SIGTERM})
    if (std::signal(signal, interrupted) == SIG_IGN) std::signal(signal, SIG_IGN);  // nohup and the like
}

Undisturbed::Undisturbed() { writing.fetch_add(1); }

Undisturbed::~Undisturbed() {
  if (writing.fetch_sub(1) == 1 && pending.load() != 0) end_by(pending.load());
}

}  // namespace octet::tools

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# In a parent's debug build with its own warnings: every source of the subproject is optimized and compiled without warnings, the
# parent's own are not. Usage: compiled_as_octet.py BUILD_FOLDER
import json
import os
import sys


def main(folder):
  wrong, own, parents = [], 0, 0
  with open(os.path.join(folder, 'compile_commands.json'), encoding='utf-8') as file:
    for entry in json.load(file):
      words = entry['command'].split()
      level = [w for w in words if w.startswith('-O')][-1:]
      if 'subprojects/octet' in entry['file'] or 'subprojects/octet' in entry.get('output', ''):
        own += 1
        if level not in (['-O3'], ['-O2']) or '-w' not in words:
          wrong.append(f'{entry["file"]}: {" ".join(level) or "no -O"}, {"without" if "-w" in words else "with"} warnings')
      else:
        parents += 1
        if level not in ([], ['-O0']) or '-w' in words or '-Wsign-conversion' not in words:
          wrong.append(f'{entry["file"]}: the parent\'s own is no longer as the parent asked')
  for line in wrong[:10]:
    print('FAILED:', line)
  print(f'consumer, options: {own} sources of octet, {parents} of the parent, {len(wrong)} not as they should be')
  return 1 if wrong or own < 100 or parents == 0 else 0


if __name__ == '__main__':
  sys.exit(main(sys.argv[1]))

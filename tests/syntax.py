#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Does another compiler take every source, without a warning? Parses what a build folder would compile, without making code: the
# sources of the product each by itself, as a build file by file would see them, those of tests as the folder joins them.
# Usage: syntax.py BUILD_FOLDER | syntax.py --self-test COMPILER…; ends with "N passed, N failed".
import concurrent.futures
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile

JOINED = re.compile(r'^#include<(.*)>$', re.M)
TESTS = re.compile(r'^(tests|examples)/')


def parsing(words):
  """The command of one source as one that only parses it."""
  kept, skip = [], False
  for word in words:
    if skip:
      skip = False
    elif word in ('-o', '-MQ', '-MF'):
      skip = True
    elif word not in ('-c', '-MD'):
      kept.append(word)
  return kept + ['-fsyntax-only', '-Werror']


def commands(folder, root):
  """(name, folder, words) of everything to parse, once each."""
  with open(os.path.join(folder, 'compile_commands.json'), encoding='utf-8') as file:
    entries = json.load(file)
  found = {}
  for entry in entries:
    directory, source = entry['directory'], entry['file']
    path = os.path.normpath(os.path.join(directory, source))
    words = parsing(shlex.split(entry['command']))
    if not path.endswith(('.cpp', '.cc', '.c')):
      continue
    sources = [path]
    if re.search(r'-unity\d+\.cpp$', path):
      with open(path, encoding='utf-8') as joined:
        sources = [os.path.normpath(os.path.join(directory, s)) for s in JOINED.findall(joined.read())]
      if all(TESTS.match(os.path.relpath(s, root)) for s in sources):
        sources = [path]
    for one in sources:
      mine = [one if word == source else word for word in words]
      found[tuple(mine)] = (os.path.relpath(one, root), directory, mine)
  return list(found.values())


def parse(name, directory, words):
  done = subprocess.run(words, cwd=directory, capture_output=True, text=True, check=False)
  return name, done.returncode, done.stderr


def check(folder, root):
  """(passed, failed)."""
  passed = failed = 0
  with concurrent.futures.ThreadPoolExecutor(int(os.environ.get('JOBS') or os.cpu_count())) as pool:
    for name, code, text in pool.map(lambda job: parse(*job), commands(folder, root)):
      if code == 0:
        passed += 1
      else:
        failed += 1
        print(f'FAILED: {name}:\n{text[:4000]}')
  if passed + failed == 0:
    failed = 1
    print(f'FAILED: {folder} compiles nothing')
  return passed, failed


def self_test(compiler):
  """One source that lacks what the source before it includes, and one with a warning; joined with others of tests they pass."""
  files = {'engine/a.cpp': '#include <string>\nstd::string a() { return {}; }\n',
           'engine/b.cpp': 'std::string b() { return {}; }\n',
           'engine/c.cpp': 'int c(int unused) { return 0; }\n',
           'tests/a.cpp': '#include <string>\nstd::string a() { return {}; }\n',
           'tests/b.cpp': 'std::string b() { return {}; }\n'}
  wrong = 0
  with tempfile.TemporaryDirectory() as root:
    build = os.path.join(root, 'build')
    for name, text in files.items():
      os.makedirs(os.path.join(root, os.path.dirname(name)), exist_ok=True)
      with open(os.path.join(root, name), 'w', encoding='utf-8') as file:
        file.write(text)
    os.makedirs(build)
    entries = []
    for folder, sources in {'engine': ['a', 'b', 'c'], 'tests': ['a', 'b']}.items():
      unity = f'{folder}-unity0.cpp'
      with open(os.path.join(build, unity), 'w', encoding='utf-8') as file:
        file.write(''.join(f'#include<{root}/{folder}/{s}.cpp>\n' for s in sources))
      words = [*compiler, '-Wall', '-Wextra', '-MD', '-MQ', 'x.o', '-MF', 'x.d', '-o', 'x.o', '-c', unity]
      entries.append({'directory': build, 'command': shlex.join(words), 'file': unity})
    with open(os.path.join(build, 'compile_commands.json'), 'w', encoding='utf-8') as file:
      json.dump(entries, file)
    found = {name: parse(name, *rest)[1] == 0 for name, *rest in commands(build, root)}
  expected = {'engine/a.cpp': True, 'engine/b.cpp': False, 'engine/c.cpp': False, 'build/tests-unity0.cpp': True}
  if found != expected:
    wrong = 1
    print(f'FAILED: self-test: {found}, expected {expected}')
  print(f'syntax, self-test: {len(expected) - wrong} sources as expected')
  return wrong


if __name__ == '__main__':
  if sys.argv[1:2] == ['--self-test']:
    sys.exit(self_test(sys.argv[2:] or ['c++']))
  counts = check(os.path.abspath(sys.argv[1]), os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
  print(f'{counts[0]} passed, {counts[1]} failed')
  sys.exit(1 if counts[1] else 0)

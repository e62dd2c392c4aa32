#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Every C++ block of the README and of docs/ stands word for word in a source file that is built, named by the comment before it:
# <!-- from examples/quickstart/main.cpp -->. Usage: doc_blocks.py ROOT | doc_blocks.py --self-test
import pathlib
import re

import common

BLOCK = re.compile(r'(?:<!-- from (\S+) -->\n)?```cpp\n(.*?)```', re.S)


def documents(root):
  docs = sorted(f'docs/{f.name}' for f in pathlib.Path(root, 'docs').glob('*.md'))
  return [p for p in ['README.md'] + docs if pathlib.Path(root, p).exists()]


def check_block(root, where, source, block):
  if not source:
    return [f'{where}: a C++ block needs <!-- from FILE --> before it, so that it is known to compile']
  if not pathlib.Path(root, source).exists():
    return [f'{where}: {source} does not exist']
  return [] if block in common.read(root, source) else [f'{where}: this block is not in {source}; change both together']


def check(root):
  findings, blocks = [], 0
  for path in documents(root):
    text = common.read(root, path)
    for match in BLOCK.finditer(text):
      blocks += 1
      line = text[:match.start()].count('\n') + 1
      findings += check_block(root, f'{path}:{line}', *match.groups())
  return findings if blocks else findings + ['no C++ block found']


GOOD = '<!-- from a.cpp -->\n```cpp\nint y;\n```\n'
CLEAN = {'README.md': GOOD, 'docs/x.md': 'Text.\n', 'a.cpp': 'int x;\nint y;\n'}
CASES = [
    ('a block without its source', {'docs/x.md': '```cpp\nint y;\n```\n'}, 'docs/x.md:1: a C++ block needs'),
    ('a block of a file that is not there', {'README.md': GOOD.replace('a.cpp', 'b.cpp')}, 'b.cpp does not exist'),
    ('a block that its source no longer holds', {'a.cpp': 'int x;\n'}, 'not in a.cpp'),
    ('no block at all', {'README.md': 'Text.\n'}, 'no C++ block'),
]


def script(root, _):
  if root is None:
    return common.self_test(check, CLEAN, CASES)
  return common.report('document blocks', check(root), len(documents(root)))


if __name__ == '__main__':
  common.main(script)

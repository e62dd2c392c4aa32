#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# The house style as far as a script can see it: licence line, a first comment, file length and line width, every source built,
# every test able to fail, and docs/adding-an-op.md naming every place an operator touches.
# Usage: source_rules.py ROOT | source_rules.py --self-test
import os
import re

import common

MAX_LINES = 400
MAX_COLUMNS = 132
SPDX = 'SPDX-License-Identifier: Apache-2.0'
SOURCE = ('.h', '.cpp', '.py', '.sh')
SCRIPTS = ['dev', '.ci/run', 'tests/consumer/run']  # scripts without an ending
MESON = ['meson.build', 'meson_options.txt']
ASSERTION = re.compile(r'\b(REQUIRE|CHECK|STATIC_REQUIRE)(_\w+)?\s*\(|\bFAIL\(')
TEST_HEADER = re.compile(r'^#include "(tests/[\w/]+\.h)"', re.M)
# A definition at column 0, a test case among them, up to its closing brace.
BLOCK = re.compile(r'^(?![ #/}])([^;{}]*?\b(\w+)\([^;]*?\{(?:.*\}$|(?:.*\n)+?^\}))', re.M)
TEST_NAME = re.compile(r'^(?:TEST_CASE|TEMPLATE_TEST_CASE|SCENARIO)\(\s*"((?:[^"\\]|\\.)*)"', re.M)
# What writes or reads numbers by the program's locale; engine/text.h is the one place for it. Programs (tools, examples, bench) set
# no locale and may print.
LIBRARY = ('engine/', 'kernels/', 'quant/', 'compile/', 'numeric_suite/', 'io/', 'runtime/')
LOCALE = re.compile(r'std::[io]?stringstream|std::(regex|setlocale)|\b(snprintf|sprintf|strto[dfl]d?|atof|sto[dfl]d?|isalnum|'
                    r'isalpha|isdigit|isspace|toupper|tolower)\s*\(')
# Where operators are used, their types stay unknown: who needs to know something of them asks for it (engine/op_traits.h). An input
# is where values come from, and so not like the others.
OP_LIST = re.compile(r'^using OpVariant\s*=\s*std::variant<([^>]*)>;', re.M)
OP_ENUMS = {'UnaryFn', 'BinaryFn', 'Pool'}
OP_USERS = ('engine/', 'quant/', 'compile/', 'numeric_suite/')
OP_OWNERS = ('engine/ops/', 'engine/ops.')
# The document that follows two ops, one with weights, through their files: every source below OP_FOLDERS that names one is in it.
OP_DOC = 'docs/adding-an-op.md'
OP_NAME = re.compile(r'[Pp]ool2d|\bLinear\b|(?<!bi)(?<!resize_)linear|\bhard_swish\b|\bDepthToSpace\b')
OP_COUNT = re.compile(r'`(\w+)` is named in (\d+) files')
OP_PRODUCT = ['kernels', 'engine', 'quant', 'compile', 'numeric_suite', 'io', 'runtime']
OP_FOLDERS = OP_PRODUCT + ['tests/kernels', 'tests/f32']


def check_text(path, text):
  lines = text.splitlines()
  start = 1 if lines and lines[0].startswith('#!') else 0
  mark = '//' if path.endswith(('.h', '.cpp')) else '#'
  if len(lines) <= start or lines[start] != f'{mark} {SPDX}':
    yield f'{path}: expected the line "{mark} {SPDX}" first'
  elif not path.endswith(tuple(MESON)) and not re.match(re.escape(mark) + r' [^\s/].{15}', (lines + [''] * 2)[start + 1]):
    yield f'{path}: expected a comment that says what the file is for after the licence line'
  if len(lines) > MAX_LINES:
    yield f'{path}: {len(lines)} lines, at most {MAX_LINES}'
  for number, line in enumerate(lines, 1):
    if len(line) > MAX_COLUMNS:
      yield f'{path}:{number}: {len(line)} columns, at most {MAX_COLUMNS}'
    if line != line.rstrip() or '\t' in line:
      yield f'{path}:{number}: a tab or blanks at the end'
  if text and not text.endswith('\n'):
    yield f'{path}: no newline at the end'


def check_locale(path, text):
  if path.startswith(LIBRARY) and path != 'engine/text.h':
    for number, line in enumerate(text.splitlines(), 1):
      if found := LOCALE.search(line.split('//')[0]):
        yield f'{path}:{number}: {found.group(0)} depends on the locale; see engine/text.h'


def operator_types(root):
  listed = OP_LIST.search(common.read(root, 'engine/ops.h')) if os.path.isfile(os.path.join(root, 'engine/ops.h')) else None
  return (set(re.findall(r'\w+', listed[1])) - {'Input'}) | OP_ENUMS if listed else None


def check_operators(path, text, types):
  if types and path.startswith(OP_USERS) and not path.startswith(OP_OWNERS):
    for number, line in enumerate(text.splitlines(), 1):
      for name in types & set(re.findall(r'\w+', re.sub(r'"(\\.|[^"\\])*"', '', line).split('//')[0])):
        yield f'{path}:{number}: names the operator {name}; ask for what it is needed for (engine/op_traits.h)'


def check_built(root, path):
  """A source that no meson.build names is neither compiled nor, if it is a test, ever run."""
  folder = os.path.dirname(path)
  while True:
    listing = os.path.join(folder, 'meson.build')
    if os.path.isfile(os.path.join(root, listing)) and f"'{os.path.relpath(path, folder or '.')}'" in common.read(root, listing):
      return []
    if not folder:
      return [f'{path}: named by no meson.build of its folder or above']
    folder = os.path.dirname(folder)


def blocks(root, path, seen):
  """(name, text) of every definition in a test file and in the test headers it includes."""
  if path in seen or not os.path.isfile(os.path.join(root, path)):
    return []
  seen.add(path)
  text = common.read(root, path)
  found = [(m[2], m[1]) for m in BLOCK.finditer(text)]
  return found + [b for header in TEST_HEADER.findall(text) for b in blocks(root, header, seen)]


def check_cases(root, path, text):
  """A test case must hold an assertion or call a function that, at last, does; a file of static_asserts is one."""
  named = [(name, body) for name, body in blocks(root, path, set()) if not body.startswith(('TEST_CASE', 'TEMPLATE_TEST_CASE'))]
  asserting, before = set(), None
  calls = ASSERTION
  while asserting != before:
    before = set(asserting)
    asserting |= {name for name, body in named if calls.search(body)}
    calls = re.compile('|'.join([ASSERTION.pattern] + [rf'\b{name}\b\s*[(<]' for name in sorted(asserting)]))
  for match in re.finditer(TEST_NAME.pattern + r'.*\n((?:.*\n)*?)^}', text, re.M):
    if not calls.search(match[2]) and not re.search(r'^ *static_assert\(', text, re.M):
      yield f'{path}: the test case "{match[1]}" asserts nothing'


def can_fail(text):
  return re.search(r'\bassert\b|sys\.exit\(', text) is not None or 'common.main(' in text


def is_part(root, path):
  """Whether a script beside it that can fail imports it, itself or by way of others."""
  folder = os.path.dirname(path)
  beside = {p: common.read(root, p) for p in common.project_files(root, '.py', folders=[folder]) if os.path.dirname(p) == folder}
  parts, before = {p for p, text in beside.items() if can_fail(text)}, None
  while parts != before:
    before = set(parts)
    named = {name for p in parts for name in re.findall(r'^ *(?:import|from) (\w+)', beside[p], re.M)}
    parts |= {p for p in beside if os.path.basename(p)[:-3] in named}
  return path in parts


def check_tests(root, path, text):
  names = TEST_NAME.findall(text)
  yield from check_cases(root, path, text)
  for name in names:
    if len(name.split()) < 3:
      yield f'{path}: the test name "{name}" is no sentence'
  if path.endswith('.py') and not can_fail(text):
    if not path.endswith('common.py') and '/faults/' not in path and not is_part(root, path):  # imported by those that can
      yield f'{path}: a test script that cannot fail'


def check_doc(root):
  if not os.path.isfile(os.path.join(root, OP_DOC)):
    return
  text = common.read(root, OP_DOC)
  for path in common.project_files(root, '.h', '.cpp', 'meson.build', folders=OP_FOLDERS):
    if path not in text and (OP_NAME.search(path) or OP_NAME.search(common.read(root, path))):
      yield f'{OP_DOC}: does not name {path}'
  sources = [common.read(root, path) for path in common.project_files(root, '.h', '.cpp', folders=OP_PRODUCT)]
  for name, count in OP_COUNT.findall(text):
    found = sum(re.search(rf'\b{name}\b', source) is not None for source in sources)
    if found != int(count):
      yield f'{OP_DOC}: says that {name} is named in {count} files, found in {found}'
  for name in re.findall(r'`([\w/]+/[\w/]*\.(?:h|cpp|py|md))`', text):
    if not os.path.exists(os.path.join(root, name)):
      yield f'{OP_DOC}: names {name}, which does not exist'


def files(root):
  found = common.project_files(root, *SOURCE, 'meson.build') + [m for m in MESON if os.path.isfile(os.path.join(root, m))]
  return sorted(set(found + [s for s in SCRIPTS if os.path.isfile(os.path.join(root, s))]))


def check(root):
  findings = [f'{name}: does not exist' for name in ['meson.build', 'dev'] if not os.path.isfile(os.path.join(root, name))]
  types = operator_types(root)
  if types is None:
    findings.append('engine/ops.h: has no list of operators, "using OpVariant = std::variant<…>;"')
  for path in files(root):
    text = common.read(root, path)
    findings += check_operators(path, text, types)
    findings += check_text(path, text)
    findings += check_locale(path, text)
    if path.endswith('.cpp'):
      findings += check_built(root, path)
    if path.startswith('tests/') and path.endswith(('.cpp', '.py')):
      findings += check_tests(root, path, text)
  return findings + list(check_doc(root))


HEAD = f'// {SPDX}\n// Says what this file is for.\n'
SCRIPT = f'#!/bin/sh\n# {SPDX}\n# Says what this file is for.\n'
HELPER = HEAD + 'inline int one() { return 1; }\ninline void f() {\n  CHECK(1 < 2);\n}\ninline void g() {\n  f();\n}\n'
CALLING = HEAD + '#include "tests/x.h"\nTEST_CASE("a helper asserts too") {\n  g();\n}\n'
CASE = HEAD + 'TEST_CASE("one is less than two") {\n  CHECK(1 < 2);\n}\n'
LIST = HEAD + 'using OpVariant =\n    std::variant<Input, Add>;\n'
CLEAN = {
    'meson.build': f"# {SPDX}\nexecutable('x', 'tests/x.cpp')\n", 'dev': SCRIPT, 'engine/ops.h': LIST, 'tests/x.cpp': CASE,
    'engine/meson.build': f"# {SPDX}\nfiles('ops/add.cpp')\n", 'engine/ops/add.cpp': HEAD,
    'tests/x.h': HELPER, 'tests/z.cpp': CALLING, 'tests/meson.build': f"# {SPDX}\nfiles('z.cpp')\n",
    'tests/run.py': f'# {SPDX}\n# Says what this file is for.\nfrom part import x\nassert x\n',
    'tests/part.py': f'# {SPDX}\n# Says what this file is for.\nfrom values import x\n',
    'tests/values.py': f'# {SPDX}\n# Says what this file is for.\nx = 1\n',
    OP_DOC: 'Edit `engine/ops.h`, write `engine/ops/add.cpp`, list it in meson.build.\n',
}
CASES = [
    ('no licence line', {'engine/ops.h': '// Says what this file is for.\n'}, 'expected the line'),
    ('no licence line in a script', {'dev': '#!/bin/sh\n# Says what this file is for.\n'}, 'dev: expected the line'),
    ('no licence line in a meson.build', {'engine/meson.build': "files('ops/add.cpp')\n"}, 'engine/meson.build: expected the line'),
    ('no first comment', {'engine/ops.h': f'// {SPDX}\n#pragma once\n'}, 'expected a comment'),
    ('an empty file', {'engine/ops.h': ''}, 'expected the line'),
    ('too many lines', {'engine/ops.h': HEAD + 'int x;\n' * 399}, '401 lines'),
    ('too wide a line', {'engine/ops.h': HEAD + '/' * 133 + '\n'}, '133 columns'),
    ('blanks at the end', {'engine/ops.h': HEAD + 'int x; \n'}, 'blanks'),
    ('a tab', {'engine/ops.h': HEAD + '\tint x;\n'}, 'a tab'),
    ('no newline at the end', {'engine/ops.h': HEAD + 'int x;'}, 'no newline'),
    ('a stream with the locale of the program', {'engine/ops.h': HEAD + 'std::ostringstream s;\n'}, 'depends on the locale'),
    ('a number read by the locale', {'engine/ops.h': HEAD + 'double d = std::stod(s);\n'}, 'depends on the locale'),
    ('an operator named where operators are used',
     {'quant/fuse.h': HEAD + '// an Add, "Add"\nInput i;\nbool f(const Add&);\n'}, 'quant/fuse.h:5: names the operator Add'),
    ('a list of operators that is not found', {'engine/ops.h': HEAD + 'using All = std::variant<Input, Add>;\n'}, 'no list of'),
    ('a source that nothing builds', {'engine/ops/mul.cpp': HEAD}, 'engine/ops/mul.cpp: named by no'),
    ('a test that nothing builds', {'tests/y.cpp': CASE}, 'tests/y.cpp: named by no'),
    ('a test without an assertion', {'tests/x.cpp': HEAD + 'TEST_CASE("one is less than two") {\n  f();\n}\n'}, 'asserts nothing'),
    ('one test of two without an assertion', {'tests/x.cpp': CASE + 'TEST_CASE("two is less than three") {\n  f();\n}\n'},
     'two is less'),
    ('a test name of one word', {'tests/x.cpp': CASE.replace('one is less than two', 'less')}, 'no sentence'),
    ('a script that cannot fail', {'tests/run.py': f'# {SPDX}\n# Says what this file is for.\nprint(1)\n'}, 'cannot fail'),
    ('a module that no script imports', {'tests/run.py': f'# {SPDX}\n# Says what this file is for.\nassert True\n'},
     'tests/values.py: a test script that cannot fail'),
    ('a document that leaves out a place',
     {'engine/ops/pool2d.cpp': HEAD, 'engine/meson.build': f"# {SPDX}\nfiles('ops/add.cpp', 'ops/pool2d.cpp')\n"},
     'does not name engine/ops/pool2d.cpp'),
    ('a document that counts an operator wrongly', {OP_DOC: CLEAN[OP_DOC] + '`Add` is named in 2 files\n'}, 'found in 1'),
    ('a document that names a lost file', {OP_DOC: CLEAN[OP_DOC] + '`engine/ops/gone.cpp`\n'}, 'does not exist'),
    ('no dev script', {'dev': None}, 'dev: does not exist'),
]


def script(root, _):
  if root is None:
    return common.self_test(check, CLEAN, CASES)
  return common.report('source rules', check(root), len(files(root)))


if __name__ == '__main__':
  common.main(script)

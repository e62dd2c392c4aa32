# SPDX-License-Identifier: Apache-2.0
# Faults nobody chose: one mechanical change on a line drawn at random, among all lines of the product that a rule below fits. They
# estimate what the tests notice of faults that nobody thought of. Some change nothing (a bound that is never met, memory
# reserved): a survivor has to be read before it counts.
import pathlib
import random
import re

FOLDERS = ('engine', 'quant', 'numeric_suite', 'compile', 'io', 'runtime', 'kernels')
# Pictures and pages are looked at, not computed with; boards run what kernels/cortex_m holds, not the fast tests.
LEFT_OUT = re.compile(r'numeric_suite/report_(html|svg)|kernels/cortex_m/|kernels/onednn/')

RULES = [(re.compile(pattern), becomes) for pattern, becomes in [
    (r' < (?!\w+>)', ' <= '), (r' <= ', ' < '), (r' > ', ' >= '), (r' >= ', ' > '), (r' == ', ' != '), (r' != ', ' == '),
    (r' && (?!\w*\))', ' || '), (r' \|\| ', ' && '), (r' \+ ', ' - '), (r' - ', ' + '), (r' \* (?!\w+ =)', ' + '), (r' / ', ' * '),
    (r' \+= ', ' -= '), (r' -= ', ' += '), (r'\bmin\(', 'max('), (r'\bmax\(', 'min('), (r'\btrue\b', 'false'),
    (r'\bfalse\b', 'true'), (r'!(?=[a-z(])', ''), (r'(?<=[\[( ])0(?=[,;)\]])', '1'), (r'(?<=[\[( ])1(?=[,;)\] ])', '2'),
    (r'\[0\]', '[1]'), (r'\bfloor\(', 'ceil('), (r'\+ 1\b', ''), (r'- 1\b', ''), (r'\bcontinue;', ';'),
    (r'^ +(?!return|const|auto|using|break|case|default|else|if|for|while|throw|static)[a-z][\w.\->]*(\(| [-+]?= ).*;$', ';'),
]]
TEXT = re.compile(r'"(\\.|[^"\\])*"|//.*')


def places(root):
  """Every (file, line number, begin, end, new text) that a rule fits outside of comments and strings."""
  for folder in FOLDERS:
    for path in sorted(pathlib.Path(root, folder).rglob('*.cpp')):
      file = path.relative_to(root).as_posix()
      if LEFT_OUT.search(file):
        continue
      for number, line in enumerate(path.read_text(encoding='utf-8').split('\n')):
        if line.startswith(('#', 'template', 'namespace', 'using')) or 'static_assert' in line:
          continue
        code = TEXT.sub(lambda m: ' ' * len(m[0]), line)  # same columns, nothing to match
        for rule, becomes in RULES:
          for found in rule.finditer(code):
            yield file, number, found.start(), found.end(), becomes


def draw(root, count, seed):
  """`count` faults as in faults/, at most one a line; the text that is replaced begins as many lines earlier as make it unique."""
  faults, lines = [], set()
  candidates = list(places(root))
  random.Random(seed).shuffle(candidates)
  for file, number, begin, end, becomes in candidates:
    if len(faults) == count:
      break
    text = pathlib.Path(root, file).read_text(encoding='utf-8')
    rows = text.split('\n')
    row = rows[number]
    new = row[:begin] + becomes + row[end:]
    first = number
    while text.count('\n'.join(rows[first:number + 1])) != 1 and first > 0:
      first -= 1
    before = '\n'.join(rows[first:number + 1])
    if (file, number) in lines or text.count(before) != 1:
      continue
    lines.add((file, number))
    faults.append((file, before, '\n'.join([*rows[first:number], new]), f'line {number + 1}: {row.strip()} -> {new.strip()}'))
  return faults

# SPDX-License-Identifier: Apache-2.0
# Compares what octet computed of random .tflite files with what the references did: a table by operator and type, and every file
# that differs or is refused.
import json
import os
import re

import numpy as np

from references import REFERENCES, bases, count

# Whose numbers are not the ones wanted: by operator, for which types, and why. A type of a chain is that of its codes.
DISTRUSTED = {
    'litert': {
        'FULLY_CONNECTED': ('i8 i16', 'rounds once more than on a microcontroller: one code off'),
        'LOGISTIC': ('i8', 'computed in floats: rarely one code off, and half way at 0 where TFLM saturates (scales from 8 on)'),
        'TANH': ('i8', 'as LOGISTIC'),
        'SUM': ('i8 i16', 'wraps around where a sum exceeds the type, before it is rescaled'),
        'MUL': ('i16', 'rarely one code off, by its rounding'),
        'SOFTMAX': ('i16', 'rarely one code off, by its tables'),
    },
    'tflm': {
        'RELU6': ('i8 i16', 'as an operator it clamps codes of the input and never rescales them'),
        'RELU': ('i16', 'rarely one code off: its multiplier is a quotient of doubles, that of LiteRT one of floats'),
        'SPACE_TO_BATCH_ND': ('i8 f32', 'it pads with a number that it never sets'),
        'LEAKY_RELU': ('i8 i16', 'one code off: its multipliers are computed in doubles, those of LiteRT in floats'),
    },
}
COLUMNS = ('files', 'octet', 'refused', 'litert', 'tflm', 'values', 'differ', 'differ_tflm', 'differ_litert', 'inner', 'crash',
           'wrong')
INNER = ('DIFF', 'ERROR', 'SHAPE')  # beginnings of lines where engines or firmware disagree with octet's own reference


def text_of(base, which):
  try:
    with open(f'{base}.{which}.txt', encoding='utf-8') as file:
      return file.read()
  except FileNotFoundError:
    return 'MISSING'


def trusted(which, about):
  reasons = DISTRUSTED[which]
  return not any(code in reasons and about['type'] in reasons[code][0].split() for code in about['operators'])


def difference(base, which, tolerance):
  """(values, how many differ, the largest difference): of codes any, of floats beyond the tolerance times the largest."""
  values = differ = 0
  worst = 0.0
  for o in range(count(base, 'octet.out')):
    a, b = np.load(f'{base}.octet.out{o}.npy'), np.load(f'{base}.{which}.out{o}.npy')
    values += b.size
    if a.dtype != b.dtype or a.size != b.size or (a.shape != b.shape and which == 'litert'):
      return values, differ + b.size, float('inf')
    if not b.size:
      continue
    a = a.reshape(b.shape)
    same = (a == b) | ((a != a) & (b != b))
    with np.errstate(invalid='ignore'):
      error = np.abs(a.astype(np.float64) - b)
    if a.dtype == np.float32:
      finite = np.abs(b[np.isfinite(b)])
      error /= finite.max() if finite.size and finite.max() > 0 else 1
      same |= error <= tolerance
    differ += int((~same).sum())
    worst = max(worst, float(error[~same].max(initial=0)))
  return values, differ, worst


def judge(base, row, about, texts, verbose):
  """A line on a file that octet read, or None; counts it in its row."""
  row['octet'] += 1
  bad = [line for line in texts['octet'].split('\n') if line.split(' ')[0] in INNER]
  if bad:
    row['inner'] += 1
    return f'INNER {base}: ' + '; '.join(bad)
  # Operators behind one another pass on what differs in the last bits of a float.
  tolerance = 2e-5 if len(about['operators']) == 1 else 2e-4
  results = {which: difference(base, which, tolerance) for which in REFERENCES if texts[which].startswith('ok')}
  if not results:
    return f'ONLY-OCTET {base}: ' + '; '.join(f'{w} {texts[w].strip()[-100:]}' for w in REFERENCES) if verbose else None
  row['values'] += next(iter(results.values()))[0]
  row['differ'] += min(differ for _, differ, _ in results.values())
  for which, (_, differ, _) in results.items():
    row['differ_' + which] += differ
  judges = [which for which in results if trusted(which, about)]
  wrong = any(results[which][1] for which in judges)
  undecided = not judges and all(differ for _, differ, _ in results.values())
  row['wrong'] += wrong
  if wrong or undecided or (verbose and any(differ for _, differ, _ in results.values())):
    kind = 'WRONG' if wrong else 'UNDECIDED' if undecided else 'ONE'
    return f'{kind} {base}: ' + '; '.join(f'{w} {differ}/{n} max {worst:.3g}' for w, (n, differ, worst) in results.items())
  return None


def reason_of(text):
  """Why a file is refused, without its names."""
  return re.sub(r'"[^"]*"', '""', text.strip().replace('\n', ' ').split('.tflite: ', 1)[-1])


def print_reasons(reasons):
  for (name, type_), files in sorted(reasons.items()):
    seen = {}
    for base, why in files:
      seen.setdefault(re.sub(r'[-0-9.e]+', '#', why), [0, base, why])[0] += 1
    for n, base, why in seen.values():
      print(f'REFUSED {name} {type_} x{n}: {why[-260:]}   e.g. {os.path.basename(base)}')


def compare(folder, verbose=False):
  """0 if whoever is trusted agrees on every file that octet reads. UNDECIDED: nobody is, and nobody agrees."""
  rows, lines, reasons = {}, [], {}
  for base in bases(folder):
    name, type_, _ = os.path.basename(base).rsplit('-', 2)
    row = rows.setdefault((name, type_), dict.fromkeys(COLUMNS, 0))
    texts = {which: text_of(base, which) for which in ('octet', *REFERENCES)}
    with open(base + '.json', encoding='utf-8') as file:
      about = json.load(file)
    row['files'] += 1
    read = [which for which in REFERENCES if texts[which].startswith('ok')]
    for which in read:
      row[which] += 1
    if 'infer ok' in texts['octet']:
      lines.append(judge(base, row, about, texts, verbose))
    elif texts['octet'].startswith('REFUSED'):
      if read:
        row['refused'] += 1
        reasons.setdefault((name, type_), []).append((base, reason_of(texts['octet'])))
    else:
      row['crash'] += 1
      lines.append(f'CRASH {base}: {texts["octet"].strip()}')
  for line in filter(None, lines):
    print(line)
  print_reasons(reasons)
  width = {c: max(len(c), 9) for c in COLUMNS}
  print(f'{"operator":>24} type ' + ' '.join(f'{c:>{width[c]}}' for c in COLUMNS))
  for (name, type_), row in sorted(rows.items()):
    print(f'{name:>24} {type_:>4} ' + ' '.join(f'{row[c]:>{width[c]}}' for c in COLUMNS))
  total = {c: sum(row[c] for row in rows.values()) for c in COLUMNS}
  print(f'{"all":>24}      ' + ' '.join(f'{total[c]:>{width[c]}}' for c in COLUMNS))
  return int(total['wrong'] > 0 or total['inner'] > 0 or total['crash'] > 0 or total['values'] == 0)

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Google Benchmark's JSON of bench_kernels as a Markdown table: a row a layer, a column a rounding mode of the
# reference engine or another engine (which computes rounding real), GMAC/s.
# Usage: kernels_table.py FILE.json
import json
import sys


def main():
  rows, columns = {}, []
  for entry in json.load(open(sys.argv[1], encoding='utf-8'))['benchmarks']:
    if 'GMAC/s' not in entry:
      continue  # declined
    layer, rounding = entry['name'].rsplit(' ', 1)
    rows.setdefault(layer, {})[rounding] = entry['GMAC/s']
    if rounding not in columns:
      columns.append(rounding)
  print('## Integer kernels, one thread, GMAC/s: the reference engine by rounding, other engines in rounding real\n')
  print('| layer | ' + ' | '.join(columns) + ' |\n|---|' + '---:|' * len(columns))
  for layer, values in rows.items():
    print(f'| {layer} | ' + ' | '.join(f'{values[c]:.2f}' if c in values else '-' for c in columns) + ' |')


if __name__ == '__main__':
  main()

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# Opens the report in headless Chromium at two widths: no console message, nothing loaded from elsewhere, nothing wider than the
# phone, the table reads back what the JSON says, and a click on a column sorts by it. Skipped (77) by name where Chromium is
# missing.
# Usage: report_page.py WRITE_REPORT
import html.parser
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile


class Tables(html.parser.HTMLParser):
  def __init__(self, text):
    super().__init__()
    self.rows, self.cell, self.title, self.in_title = [], None, '', False
    self.feed(text)

  def handle_starttag(self, tag, attrs):
    if tag == 'tr':
      self.rows.append([])
    if tag in ('td', 'th'):
      self.cell = ''
    self.in_title |= tag == 'h1'

  def handle_endtag(self, tag):
    if tag in ('td', 'th'):
      self.rows[-1].append(self.cell)
      self.cell = None
    if tag == 'h1':
      self.in_title = False

  def handle_data(self, data):
    if self.cell is not None:
      self.cell += data
    if self.in_title:
      self.title += data


def dom(browser, folder, page, width):
  command = [browser, '--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage',
             '--host-resolver-rules=MAP * ~NOTFOUND', f'--user-data-dir={folder}/profile', f'--window-size={width},900',
             '--enable-logging=stderr', '--virtual-time-budget=2000', '--dump-dom', 'file://' + page]
  done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
  console = [line for line in done.stderr.splitlines() if 'CONSOLE' in line]
  assert not console, f'the page wrote to the console: {console}'
  return done.stdout


def main(write_report):
  browser = shutil.which('chromium') or shutil.which('chromium-browser')
  if not browser:
    print('skipped: no chromium; ./dev deps browser installs it')
    return 77
  with tempfile.TemporaryDirectory() as folder:
    subprocess.run([write_report, folder], check=True)
    with open(os.path.join(folder, 'report.json'), encoding='utf-8') as file:
      said = json.load(file)
    page = os.path.join(folder, 'report.html')
    with open(page, encoding='utf-8') as file:
      text = file.read()
    assert not re.search(r'(src|href)=|https?://(?!www\.w3\.org)|@import|url\(', text), 'the page refers to something outside'
    seen = Tables(dom(browser, folder, page, 1200))
    assert seen.title == said['title'], (seen.title, said['title'])
    head, rows = seen.rows[0], seen.rows[1:]
    column = head.index('own dB')
    assert [r[0] for r in rows] == [l['path'] for l in said['layers']]
    for row, layer in zip(rows, said['layers']):
      own = layer['own']['sqnr_db']
      assert row[column] == (own if isinstance(own, str) else f'{own:.2f}'), (row[0], row[column], own)
    assert said['diagnosis'][0]['path'] == 'dw' and said['diagnosis'][0]['cause'] == 'range too narrow', said['diagnosis'][0]
    # The same page with a script behind it that clicks, then measures.
    probe = os.path.join(folder, 'probe.html')
    click = ("<script>document.querySelectorAll('#layers th')[%d].click();document.body.dataset.width="
             "document.documentElement.scrollWidth+' '+window.innerWidth</script></body>" % column)
    with open(probe, 'w', encoding='utf-8') as file:
      file.write(text.replace('</body>', click))
    phone = dom(browser, folder, probe, 500)  # the narrowest window headless Chromium makes
    values = [float(r[column]) for r in Tables(phone).rows[1:]]
    assert values == sorted(values) and len(values) == len(rows), f'a click does not sort: {values}'
    wide, window = map(int, re.search(r'data-width="(\d+) (\d+)"', phone).groups())
    assert wide <= window, f'the page is {wide} pixels wide in a window of {window}'
    print(f'{len(rows)} rows read back, sorted by a click, {wide} of {window} pixels wide, nothing on the console')
  return 0


if __name__ == '__main__':
  sys.exit(main(sys.argv[1]))

#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
# What the command says of itself: docs/command.md is what it prints, every verb has an example that its own parser takes, the
# completion for bash is bash and knows every option, and the man page names them.
# Usage: help.py OCTET_TOOL DOCS_COMMAND_MD; prints what is wrong, exit status 1 on any finding.
import pathlib
import re
import shlex
import subprocess
import sys

findings = []


def main():
  tool, page = sys.argv[1:3]

  def octet(*words):
    done = subprocess.run([tool, *words], capture_output=True, text=True, timeout=30)
    return done.returncode, done.stdout, done.stderr

  def expect(what, condition, seen=''):
    if not condition:
      findings.append(f'{what}: {seen}')
  status, markdown, err = octet('help', '--markdown')
  expect('docs/command.md is what octet help --markdown prints', status == 0 and pathlib.Path(page).read_text() == markdown,
         f'write it anew: octet help --markdown > docs/command.md; {err}')
  verbs = re.findall(r'^## (\S+)$', markdown, re.M)
  expect('all verbs', len(verbs) > 10 and octet('help')[1] == octet('--help')[1], verbs)
  completion, man = octet('help', '--bash-completion')[1], octet('help', '--man')[1]
  expect('the completion is bash', subprocess.run(['bash', '-n'], input=completion, text=True).returncode == 0)
  expect('the man page is one', man.startswith('.TH OCTET 1\n'))
  for verb in verbs:
    status, text, _ = octet('help', verb)
    expect(f'help {verb}', status == 0 and text == octet(verb, '--help')[1], text[:80])
    expect(f'{verb}: exit statuses', 'Exit status: 0 done' in text, text[-200:])
    examples = re.findall(r'^  octet (.*?)(?: \|.*)?$', text.split('Example')[-1], re.M)
    expect(f'{verb}: an example', examples, text)
    for example in examples:
      # Files are not there; what the parser refuses it refuses with 2.
      status, _, err = octet(*shlex.split(example))
      expect(f'{verb}: its parser takes "{example}"', status != 2, err)
    options = re.findall(r'(?<![\w-])--[a-z-]+', text.split('Example')[0].split('Options:')[1])
    ask = completion + f'\nCOMP_WORDS=(octet {verb} --); COMP_CWORD=2; _octet; echo "${{COMPREPLY[@]}}"'
    offered = subprocess.run(['bash', '-c', ask], capture_output=True, text=True).stdout.split()
    stated = {o for o in options if re.search(rf'^  (-\w,)?(--[\w-]+,)?{o}\b', text, re.M)}
    expect(f'{verb}: options are completed', stated <= set(offered) and stated, (stated - set(offered), offered))
    section = man.split(f'.SS octet {verb}'.replace('-', '\\-'))[1].split('.SS ')[0]
    expect(f'{verb}: options are in the man page', all(o.replace('-', '\\-') in section for o in stated), section[:200])
  ask = completion + '\nCOMP_WORDS=(octet ""); COMP_CWORD=1; _octet; echo "${COMPREPLY[@]}"'
  offered = subprocess.run(['bash', '-c', ask], capture_output=True, text=True).stdout.split()
  expect('verbs are completed', set(verbs) <= set(offered), offered)
  status, _, err = octet('help', 'quantise')
  expect('help for a verb that is not there', status == 2 and 'did you mean "quantize"' in err, err)
  for finding in findings:
    print('FAILED:', finding)
  print(f'octet help: {len(verbs)} verbs,', f'{len(findings)} findings' if findings else 'all checks passed')
  return 1 if findings else 0


if __name__ == '__main__':
  sys.exit(main())

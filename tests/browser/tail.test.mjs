// Tails the logs that the gateway at GATEWAY_URL tells of on a terminal of its own, with the program at GATEWAY, and looks at it. The
// terminal is that of util-linux's `script`, and a page with its text stands in for its window.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { chromium } from 'playwright-core';
import { picture } from './picture.mjs';

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
const lines = 26;
const style = { 1: 'bold', 2: 'dim', 31: 'red', 32: 'green', 33: 'yellow' };

/** Asks the gateway. */
async function ask(query) {
  const response = await fetch(new URL('/graphql', process.env.GATEWAY_URL), {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ query }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined);
  return data;
}

/** What the program prints on a terminal, until so many lines are there. */
async function onTerminal(command, count) {
  const script = spawn('script', ['--quiet', '--return', '--command', `stty cols 170 && exec ${command}`, '/dev/null'], {
    env: { PATH: process.env.PATH, TERM: 'xterm-256color' },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const ended = once(script, 'exit');
  let text = '';
  for await (const part of script.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    text += part;
    if (text.split('\r\n').length > count) break;
  }
  script.stdout.resume();
  // Ctrl-C.
  script.stdin.write('\x03');
  await ended;
  return text.split('\r\n').slice(0, count);
}

/** A line of a terminal as HTML, its colors as classes. */
function html(line) {
  const escaped = line.replace(/[&<]/g, (character) => (character === '&' ? '&amp;' : '&lt;'));
  let open = 0;
  const marked = escaped.replace(/\x1b\[(\d*)m/g, (_, code) => {
    if (code === '' || code === '0') return '</span>'.repeat(open--);
    assert.ok(style[code], `an unknown color: ${code}`);
    open += 1;
    return `<span class="${style[code]}">`;
  });
  assert.equal(open, 0, 'a color goes on behind its line');
  assert.doesNotMatch(marked, /[\x00-\x1f]/, 'a control character');
  return marked;
}

test('the tail on a terminal has a line in color for each log', async () => {
  // The newest by date need not be the newest by id.
  const { searchLogs } = await ask('{ searchLogs(perPage: 100) { nodes { id } } }');
  const ids = searchLogs.nodes.map(({ id }) => id).sort();
  const from = ids.at(-lines - 1);
  const { logs } = await ask(`{ logs(from: "${from}", take: ${lines}) { nodes { date type } } }`);

  const command = `${resolve(process.env.GATEWAY)} tail --url ${new URL('/graphql', process.env.GATEWAY_URL)} --from ${from}`;
  const printed = (await onTerminal(command, lines)).map(html);
  const told = printed.map((line) => /^<span class="dim">(\S+)<\/span>  (?:<span class="\w+">)?(\w+) *(?:<\/span>)?  /.exec(line)?.slice(1));
  assert.deepEqual(told, logs.nodes.map(({ date, type }) => [date, type]));

  if (!existsSync(executablePath)) return;
  const args = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-background-networking', '--no-first-run'];
  const browser = await chromium.launch({ executablePath, args });
  try {
    const page = await browser.newPage();
    await page.setContent(`<!doctype html><meta charset="utf-8"><style>
      body { margin: 0; padding: 18px; background: #16181d; color: #e4e6eb; font: 11.5px/2.04 monospace; white-space: pre; overflow: hidden }
      .bold { font-weight: bold } .dim { color: #8a919e } .red { color: #ff6b6b } .green { color: #5fd38d } .yellow { color: #f2c94c }
      </style><span class="dim">$</span> auth0-graphql tail\n${printed.join('\n')}`);
    assert.ok((await page.locator('.green, .red, .yellow').count()) >= lines / 2);
    await picture(page, 'tail');
  } finally {
    await browser.close();
  }
});

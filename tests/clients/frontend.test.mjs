// The example front end, built and served by Vite, in a real browser. CHROMIUM names the browser;
// where there is none the test is skipped. Its packages must be installed.

import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { ADA, endpoint } from './gateway.mjs';

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
const skip =
  !existsSync(executablePath) &&
  `no browser at ${executablePath}: install Debian's chromium, or name one in CHROMIUM`;

const cwd = fileURLToPath(new URL('../../examples/frontend/', import.meta.url));

let server;
let browser;
let page;
/** What no page of ours may do, in the order in which it was seen. */
const offences = [];

async function preview() {
  const args = ['preview', '--host', '127.0.0.1', '--port', '0'];
  server = spawn('node_modules/.bin/vite', args, {
    cwd,
    env: { ...process.env, NO_COLOR: '1' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface({ input: server.stdout })) {
    const url = /Local: +(http:\S+)/.exec(line)?.[1];
    if (url) return url;
  }
  throw new Error('the server of the front end ended before it listened');
}

before(async () => {
  if (skip) return;
  execFileSync('npm', ['run', 'build'], { cwd });
  const url = await preview();
  server.stdout.resume();
  browser = await chromium.launch({
    executablePath,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
  page = await browser.newPage();
  page.on('pageerror', (error) => offences.push(`uncaught: ${error}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) offences.push(message.text());
  });
  await page.goto(url);
});

after(async () => {
  await browser?.close();
  server?.kill('SIGTERM');
});

const rows = () => page.locator('tbody tr');

/** The table's texts, once it shows what was asked for last. */
async function settled() {
  await page.locator('table[aria-busy=false]').waitFor();
  return rows().allInnerTexts();
}

/** The ids of the users that some logs are about, as the gateway tells of each log by itself. */
async function ownersOf(logs) {
  const fields = logs.map(({ logId }, index) => `l${index}: log(id: "${logId}") { userId }`);
  const response = await fetch(endpoint(), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: `{ ${fields.join(' ')} }` }),
  });
  const { data } = await response.json();
  return [...new Set(Object.values(data).map(({ userId }) => userId))];
}

test('users are paged and searched, and one is opened with their logs', { skip }, async () => {
  await page.getByText(/Page 1, \d+ users/).waitFor();
  const first = await settled();
  assert.equal(first.length, 20);

  await page.getByRole('link', { name: 'Next' }).click();
  await page.getByText(/Page 2, \d+ users/).waitFor();
  const second = await settled();
  assert.equal(second.length, 20);
  assert.ok(second.every((row) => !first.includes(row)));

  await page.getByRole('link', { name: 'Previous' }).click();
  await page.getByText(/Page 1, \d+ users/).waitFor();
  assert.deepEqual(await settled(), first);

  await page.getByRole('searchbox').fill(`email:"${ADA}" AND identities.provider:auth0`);
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByText('Page 1, 1 users').waitFor();
  const [ada, ...others] = await settled();
  assert.match(ada, new RegExp(`Ada Brandt\\s+${ADA}`));
  assert.deepEqual(others, []);

  const answered = page.waitForResponse(
    (response) => response.request().postDataJSON()?.variables?.id !== undefined,
  );
  await page.getByRole('link', { name: 'Ada Brandt' }).click();
  await page.getByRole('heading', { name: 'Ada Brandt' }).waitFor();
  await page.locator('dl').getByText(ADA).waitFor();
  await page.getByRole('heading', { name: 'Logs' }).waitFor();
  const { data } = await (await answered).json();
  const { nodes } = data.searchLogs;
  assert.ok(nodes.length > 0);
  const shown = await rows().locator('td:nth-child(2)').allInnerTexts();
  assert.deepEqual(shown, nodes.map((log) => log.typeDescription ?? log.type));
  const id = await page.locator('dd').first().innerText();
  assert.deepEqual(await ownersOf(nodes), [id]);

  await page.goBack();
  await page.getByText('Page 1, 1 users').waitFor();
  assert.deepEqual(offences, []);
});

test('a search that is no search is explained', { skip }, async () => {
  await page.getByRole('searchbox').fill('name:"');
  await page.getByRole('button', { name: 'Search' }).click();
  const alert = page.getByRole('alert');
  await alert.waitFor();
  assert.match(await alert.innerText(), /`q` can search fields .* write nothing but `field:value`/);
});

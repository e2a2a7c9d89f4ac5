// Opens the playground of the gateway at GATEWAY_URL in a real browser and uses it as a
// person would. CHROMIUM names the browser; where there is none the tests are skipped.

import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { after, before, beforeEach, test } from 'node:test';
import { chromium } from 'playwright-core';
import { picture } from './picture.mjs';

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';
const skip =
  !existsSync(executablePath) &&
  `no browser at ${executablePath}: install Debian's chromium, or name one in CHROMIUM`;
const gateway = skip ? undefined : new URL(process.env.GATEWAY_URL ?? fail());

function fail() {
  console.error('GATEWAY_URL is not set: give the URL of a running gateway, like http://127.0.0.1:3000');
  process.exit(64);
}

let browser;
let page;
/** What no page of ours may do, in the order in which it was seen. */
let offences;

before(async () => {
  if (skip) return;
  browser = await chromium.launch({
    executablePath,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  });
});

after(() => browser?.close());

beforeEach(async () => {
  if (skip) return;
  offences = [];
  await page?.context().close();
  const context = await browser.newContext();
  await context.exposeFunction('reportViolation', (text) => offences.push(text));
  await context.addInitScript(() =>
    addEventListener('securitypolicyviolation', ({ effectiveDirective, blockedURI }) =>
      reportViolation(`policy violation: ${effectiveDirective} ${blockedURI}`),
    ),
  );
  context.on('request', (request) => {
    const { origin, protocol } = new URL(request.url());
    // These carry or name bytes that the page already has.
    if (protocol === 'data:' || protocol === 'blob:') return;
    if (origin !== gateway.origin) offences.push(`off-origin request: ${request.url()}`);
  });
  context.on('response', (response) => {
    if (response.status() >= 400) offences.push(`${response.status()} for ${response.url()}`);
  });
  context.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()))
      offences.push(`console ${message.type()}: ${message.text()}`);
  });
  context.on('weberror', (error) => offences.push(`uncaught: ${error.error()}`));

  page = await context.newPage();
  // How long a busy machine takes is no matter.
  page.setDefaultTimeout(120_000);
  page.on('websocket', (socket) => offences.push(`socket: ${socket.url()}`));
  const schema = page.waitForResponse(answerTo(/__schema/));
  await page.goto(gateway.href);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await schema;
});

/** A predicate for the gateway's answer to a GraphQL request whose document matches. */
function answerTo(document) {
  return (response) =>
    new URL(response.url()).pathname === '/graphql' &&
    document.test(response.request().postDataJSON()?.query ?? '');
}

/** Fails if the page did what it must not. Waits for it to draw twice, so that what it has
 * done already is heard of. */
async function nothingOffensive() {
  await page.evaluate(
    () => new Promise((drawn) => requestAnimationFrame(() => requestAnimationFrame(drawn))),
  );
  assert.deepEqual(offences, []);
}

/** Replaces the text of the operation editor by typing. */
async function type(text) {
  await page.locator('.graphiql-query-editor .view-lines').click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.press('Delete');
  await page.keyboard.type(text);
  await taken(text);
}

/** Waits until GraphiQL has taken in a change of the operation, which it puts off while more
 * keys are coming, and stores then. Before that it would run under the old operation's name. */
const taken = (text) =>
  page.waitForFunction(
    (text) => localStorage.getItem('auth0-graphql:graphiql:query')?.includes(text),
    text,
  );

/** The text in an editor, which pads with no-break spaces. */
async function textOf(selector) {
  const lines = await page.locator(`${selector} .view-line`).allInnerTexts();
  return lines.join('\n').replaceAll('\u00a0', ' ');
}

test('example operations are open in tabs, and run within the usual limits', { skip }, async () => {
  const tabs = page.locator('.graphiql-tab-button');
  const names = await tabs.allInnerTexts();
  assert.deepEqual(names, ['People', 'WholePerson', 'BlockedPeople', 'RecentLogs', 'FailedLogins', 'LiveTail']);
  // The first last: it is open, and opening it again would change nothing to wait for.
  for (const name of [...names.slice(1, -1), names[0]]) {
    await page.getByRole('button', { name, exact: true }).click();
    await taken(name);
    const answer = page.waitForResponse(answerTo(new RegExp(`query ${name}\\b`)));
    await page.locator('.graphiql-execute-button').click();
    const { data, errors } = await (await answer).json();
    assert.equal(errors, undefined, name);
    assert.equal(Object.keys(data).length, 1, name);
  }
  await nothingOffensive();
});

test('the tab for a whole person shows what belongs to them', { skip }, async () => {
  await page.locator('.graphiql-tab-button').filter({ hasText: 'WholePerson' }).click();
  await taken('WholePerson');
  const answer = page.waitForResponse(answerTo(/WholePerson/));
  await page.locator('.graphiql-execute-button').click();
  const { user } = (await (await answer).json()).data;
  assert.equal(user.name, 'Ada Brandt');
  assert.ok(user.organizations.nodes.length > 0 && user.sessions.nodes.length > 0 && user.logs.nodes.length > 0);
  await page.locator('.result-window').getByText('Ada Brandt').first().waitFor();
  await picture(page, 'playground');
  await nothingOffensive();
});

test('the live tail shows logs as they come, and stops when it is told to', { skip }, async () => {
  await page.locator('.graphiql-tab-button').filter({ hasText: 'LiveTail' }).click();
  await taken('LiveTail');
  await page.locator('.graphiql-execute-button').click();
  await page.locator('.result-window').getByText('logId').first().waitFor();
  const ended = page.waitForEvent('requestfailed', (request) => /LiveTail/.test(request.postData()));
  await page.locator('.graphiql-execute-button').click();
  await ended;
  await nothingOffensive();
});

test('a subscription that is refused says why', { skip }, async () => {
  await type('subscription { logs(from: "no id") { logId');
  await page.keyboard.press('Escape');
  await taken('no id');
  await page.keyboard.press('ControlOrMeta+Enter');
  await page.locator('.result-window').getByText('BAD_USER_INPUT').first().waitFor();
  await nothingOffensive();
});

test('a query is typed with completion, run, and answered', { skip }, async () => {
  // The editor closes brackets by itself.
  await type('{ users(perPage: 2) { nodes { userId ema');
  const suggestion = page.locator('.suggest-widget.visible .monaco-list-row.focused');
  await suggestion.getByText('email', { exact: true }).first().waitFor();
  await page.keyboard.press('Enter');
  await taken('userId email');

  const answer = page.waitForResponse(answerTo(/nodes/));
  await page.keyboard.press('ControlOrMeta+Enter');
  const { data, errors } = await (await answer).json();
  assert.equal(errors, undefined);
  assert.equal(data.users.nodes.length, 2);
  const { userId } = data.users.nodes[0];
  await page.locator('.result-window').getByText(userId).first().waitFor();
  assert.match(await textOf('.result-window'), /"email":/);
  await nothingOffensive();
});

test('a subscription shows logs as they come, until it is stopped', { skip }, async () => {
  await type('subscription { logs { logId typeDescription');
  await page.keyboard.press('Escape');
  await taken('typeDescription');
  await page.keyboard.press('ControlOrMeta+Enter');
  await page.locator('.result-window').getByText('logId').first().waitFor();
  const first = await textOf('.result-window');
  // The sandbox has two more every three seconds.
  await page.waitForFunction(
    (first) => document.querySelector('.result-window .view-lines').innerText.replaceAll('\u00a0', ' ') !== first,
    first,
  );
  await page.locator('.graphiql-execute-button').click();
  await nothingOffensive();
});

test('a mistake is underlined and explained', { skip }, async () => {
  await type('{ nonesuch }');
  await page.locator('.graphiql-query-editor .squiggly-error').first().waitFor();
  await nothingOffensive();
});

test('an operation is prettified', { skip }, async () => {
  await type('query Q($id:ID!){user(id:$id){userId');
  await page.getByRole('button', { name: /^Prettify/ }).click();
  await taken('query Q($id: ID!) {\n  user(id: $id) {\n    userId\n  }\n}');
  await nothingOffensive();
});

test('the docs lead from the query root to User and its fields', { skip }, async () => {
  await page.getByRole('button', { name: 'Show Documentation Explorer' }).click();
  const docs = page.locator('.graphiql-doc-explorer');
  const title = docs.locator('.graphiql-doc-explorer-title');
  await docs.getByRole('link', { name: 'Query', exact: true }).click();
  await title.getByText('Query', { exact: true }).waitFor();
  await docs.getByRole('link', { name: 'User', exact: true }).first().click();
  await title.getByText('User', { exact: true }).waitFor();
  await docs.getByRole('link', { name: 'email', exact: true }).click();
  await title.getByText('email', { exact: true }).waitFor();
  await docs.getByRole('link', { name: 'String', exact: true }).waitFor();
  await nothingOffensive();
});

test('the explorer plug-in shows the schema and writes the query', { skip }, async () => {
  await type('query Picked { users { total } }');
  await page.getByRole('button', { name: 'Show GraphiQL Explorer' }).click();
  const explorer = page.locator('.graphiql-explorer-root');
  await explorer.getByText('searchLogs', { exact: true }).waitFor();
  await explorer.getByText('hasNextPage', { exact: true }).first().click();
  await page.locator('.graphiql-query-editor').getByText('hasNextPage').waitFor();
  assert.match(await textOf('.graphiql-query-editor'), /total\s+hasNextPage/);
  await nothingOffensive();
});

test('on a sandbox a token is filled in, and sent from the first request on', { skip }, async () => {
  const introspection = page.waitForRequest('**/graphql');
  await page.reload();
  const { authorization } = (await introspection).headers();
  assert.match(authorization, /^Bearer [\w-]+\.[\w-]+\.[\w-]+$/);
  await page.locator('.graphiql-query-editor .view-line').first().waitFor();
  await type('{ gateway { scopes } }');
  const answer = page.waitForResponse(answerTo(/scopes/));
  await page.locator('.graphiql-execute-button').click();
  assert.equal((await (await answer).request().allHeaders()).authorization, authorization);
  const { scopes } = (await (await answer).json()).data.gateway;
  assert.deepEqual(scopes.toSorted(), [
    'read:authentication_methods',
    'read:logs',
    'read:organizations',
    'read:refresh_tokens',
    'read:role_members',
    'read:roles',
    'read:sessions',
    'read:user_idp_tokens',
    'read:users',
    'read:users_app_metadata',
  ]);
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  await page.locator('.graphiql-editor-tool').getByText('Authorization').waitFor();
  const stored = await page.evaluate(() => JSON.stringify(localStorage));
  assert.doesNotMatch(stored, /Bearer/);
  await nothingOffensive();
});

test('headers are sent and never stored', { skip }, async () => {
  await type('{ users { total } }');
  await page.getByRole('button', { name: 'Headers', exact: true }).click();
  await page.locator('.graphiql-editor-tool .view-lines:visible').click();
  await page.keyboard.press('ControlOrMeta+A');
  await page.keyboard.type('{ "x-note": "not to be kept"');
  const request = page.waitForRequest('**/graphql');
  await page.locator('.graphiql-execute-button').click();
  assert.equal((await request).headers()['x-note'], 'not to be kept');
  await page.locator('.result-window').getByText('"total"').waitFor();
  // By the second run, the first one is history and the headers are the tab's.
  await type('{ logs(take: 1) { next } }');
  await page.locator('.graphiql-execute-button').click();
  await page.locator('.result-window').getByText('"next"').waitFor();
  const stored = await page.evaluate(() => JSON.stringify(localStorage));
  assert.match(stored, /users \{ total \}/);
  assert.match(stored, /queries.*logs\(take: 1\)/);
  assert.doesNotMatch(stored, /not to be kept/);
  await nothingOffensive();
});

test('pointing at an address in a response calls nobody', { skip }, async () => {
  const picture = 'https://pictures.example.org/1.png';
  await page.route('**/graphql', (route) =>
    route.fulfill({ json: { data: { users: { nodes: [{ picture }] } } } }),
  );
  await type('{ users { nodes { picture } } }');
  await page.keyboard.press('ControlOrMeta+Enter');
  await page.locator('.result-window .detected-link').hover();
  // What the editor says about any link. GraphiQL's preview would stand beside it.
  const hover = page.locator('.result-window .monaco-hover');
  await hover.getByText('Follow link').first().waitFor();
  assert.doesNotMatch((await hover.allInnerTexts()).join(), /loading|image/i);
  await nothingOffensive();
});

test('the policy stops a call elsewhere, and these tests notice', { skip }, async () => {
  const violation = page.waitForEvent('console', (message) => /connect-src/.test(message.text()));
  const refused = await page.evaluate(() =>
    fetch('https://elsewhere.example.org/').then(
      () => false,
      () => true,
    ),
  );
  assert.ok(refused);
  await violation;
  await assert.rejects(nothingOffensive);
});

// Holds the live tail of the gateway at GATEWAY_URL to real clients: graphql-ws over WebSocket; over Server-Sent Events graphql-sse in its
// distinct connections mode, eventsource and curl. SANDBOX_URL is the sandbox behind the gateway.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { EventSource } from 'eventsource';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWebSocketClient } from 'graphql-ws';
import WebSocket from 'ws';

const gateway = process.env.GATEWAY_URL;
if (!URL.canParse(gateway)) {
  console.error('GATEWAY_URL is not set to a URL: give that of a running gateway, like http://127.0.0.1:3000');
  process.exit(64);
}
const sandbox = process.env.SANDBOX_URL;
if (!URL.canParse(sandbox)) {
  console.error("SANDBOX_URL is not set to a URL: give that of the sandbox behind the gateway, which the gateway's banner has");
  process.exit(64);
}
const http = new URL('/graphql', gateway).href;

const query = 'subscription Tail($from: ID) { logs(from: $from) { logId user { userId } } }';

/** Tells the sandbox what to do. */
async function control(path, body) {
  const response = await fetch(new URL(`/_sandbox/${path}`, sandbox), { method: 'POST', body: JSON.stringify(body) });
  assert.ok(response.ok, `${response.status} for ${path}`);
  return response.json();
}

/** The newest logs, oldest first. Auth0 gives them in the order of their dates, which is not quite that of their ids: of more than are
 * wanted, the last are whole. */
async function newest(count) {
  const response = await fetch(http, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: `{ logs(take: 50) { nodes { logId } } }` }),
  });
  const { data } = await response.json();
  return data.logs.nodes.map((log) => log.logId).sort().slice(-count);
}

for (const [name, client] of [
  ['graphql-ws', createWebSocketClient({ url: http.replace(/^http/, 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 })],
  ['graphql-sse', createSseClient({ url: http, retryAttempts: 0 })],
]) {
  test(`${name} has the logs since one, and those that come`, async (t) => {
    t.after(() => client.dispose());
    const [from, ...past] = await newest(6);
    const told = [];
    for await (const result of client.iterate({ query, variables: { from } })) {
      assert.equal(result.errors, undefined);
      told.push(result.data.logs.logId);
      if (told.length === past.length) await control('logs', { count: 1 });
      if (told.length === past.length + 1) break;
    }
    assert.deepEqual(told.slice(0, -1), past);
    assert.ok(told.at(-1) > past.at(-1), 'one that came meanwhile');
  });

  test(`${name} is told what is wrong with a subscription`, async (t) => {
    const other =
      name === 'graphql-ws'
        ? createWebSocketClient({ url: http.replace(/^http/, 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 })
        : createSseClient({ url: http, retryAttempts: 0 });
    t.after(() => other.dispose());
    const told = [];
    try {
      for await (const result of other.iterate({ query: 'subscription { logs { nothing } }' })) {
        told.push(...result.errors);
      }
    } catch (errors) {
      told.push(...errors);
    }
    assert.equal(told[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
  });
}

/** Reads on until `count` results have come. */
async function read(results, count) {
  const ids = [];
  while (ids.length < count) {
    const { value } = await results.next();
    assert.equal(value.errors, undefined);
    ids.push(value.data.logs.logId);
  }
  return ids;
}

/** A client of which each connection can be cut. */
function breakable(options) {
  let connection;
  const fetchFn = (url, init) => {
    connection = new AbortController();
    return fetch(url, { ...init, signal: AbortSignal.any([init.signal, connection.signal]) });
  };
  return { client: createSseClient({ url: http, fetchFn, ...options }), cut: () => connection.abort() };
}

test('graphql-sse repeats what came since `from` when it reconnects by itself', async (t) => {
  const [from, ...past] = await newest(6);
  const { client, cut } = breakable({ retryAttempts: 1, retry: async () => {} });
  t.after(() => client.dispose());
  const results = client.iterate({ query, variables: { from } });
  assert.deepEqual(await read(results, 5), past);
  cut();
  await control('logs', { count: 1 });
  const again = [];
  while (!again.includes(past.at(-1))) again.push(...(await read(results, 1)));
  assert.deepEqual(again.slice(-5), past);
});

test('graphql-sse neither repeats nor leaves out what is subscribed to anew from the greatest id', async (t) => {
  const all = await newest(6);
  const [from] = all;
  const { client, cut } = breakable({ retryAttempts: 0 });
  t.after(() => client.dispose());
  const first = client.iterate({ query, variables: { from } });
  const told = await read(first, 3);
  cut();
  // What had arrived before the cut is there still.
  await assert.rejects(async () => {
    for (;;) told.push(...(await read(first, 1)));
  });
  await control('logs', { count: 1 });
  const second = client.iterate({ query, variables: { from: told.at(-1) } });
  while (told.length < 6) told.push(...(await read(second, 1)));
  assert.deepEqual(told.slice(0, 5), all.slice(1));
  assert.ok(told[5] > told[4]);
});

/** The address of the subscription, for clients that GET. */
function address(from) {
  const url = new URL(http);
  url.searchParams.set('query', query);
  url.searchParams.set('variables', JSON.stringify({ from }));
  return url;
}

test('eventsource goes on behind the last event when it reconnects, with its credentials', async (t) => {
  const [from, ...past] = await newest(6);
  const { access_token: token } = await control('tokens', { scope: 'read:logs read:users' });
  const asked = [];
  let connection;
  const source = new EventSource(address(from), {
    fetch: (input, init) => {
      const headers = { ...init.headers, authorization: `Bearer ${token}` };
      asked.push(headers['Last-Event-ID']);
      connection = new AbortController();
      return fetch(input, { ...init, headers, signal: AbortSignal.any([init.signal, connection.signal]) });
    },
  });
  t.after(() => source.close());
  const told = [];
  await new Promise((resolve, reject) => {
    source.addEventListener('open', () => asked.length > 1 && control('logs', { count: 1 }).catch(reject));
    source.addEventListener('next', ({ data }) => {
      const { data: result, errors } = JSON.parse(data);
      if (errors) return reject(new Error(errors[0].message));
      told.push(result.logs.logId);
      if (told.length === 5) connection.abort(new TypeError('cut'));
      if (told.length > 5 && asked.length > 1) resolve();
    });
  });
  assert.deepEqual(told.slice(0, 5), past);
  assert.equal(new Set(told).size, told.length);
  assert.equal(asked[0], undefined);
  assert.ok(told.includes(asked[1]));
});

test('curl prints an event for each log', async () => {
  const [from, ...past] = await newest(6);
  const curl = spawn('curl', [
    ...['--silent', '--show-error', '--no-buffer', http],
    ...['--header', 'Accept: text/event-stream', '--header', 'Content-Type: application/json'],
    ...['--data', JSON.stringify({ query, variables: { from } })],
  ]);
  const told = [];
  for await (const line of createInterface({ input: curl.stdout })) {
    if (line.startsWith('data: ')) told.push(JSON.parse(line.slice(6)).data.logs.logId);
    if (told.length === 5) break;
  }
  curl.kill();
  assert.deepEqual(told, past);
});

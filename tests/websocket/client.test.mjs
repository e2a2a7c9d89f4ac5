// Holds the gateway at GATEWAY_URL to graphql-ws, which defines the protocol: its own client over WebSocket.

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { CloseCode, createClient } from 'graphql-ws';
import WebSocket from 'ws';

const gateway = process.env.GATEWAY_URL;
if (!URL.canParse(gateway)) {
  console.error('GATEWAY_URL is not set to a URL: give that of a running gateway, like http://127.0.0.1:3000');
  process.exit(64);
}
const http = new URL('/graphql', gateway).href;
const url = http.replace(/^http/, 'ws');

const USERS = 'query Users($n: Int!) { users(perPage: $n) { perPage nodes { userId email } } }';

/** What graphql-ws is given by every test. */
const options = { url, webSocketImpl: WebSocket, retryAttempts: 0 };

/** All results of an operation. */
async function results(client, payload) {
  const all = [];
  for await (const result of client.iterate(payload)) all.push(result);
  return all;
}

let client;
before(() => {
  client = createClient({ ...options, lazy: false, onNonLazyError: () => {} });
});
after(() => client.dispose());

test('an operation has one result, and then is complete', async () => {
  const [result, ...more] = await results(client, { query: USERS, variables: { n: 3 } });
  assert.equal(result.errors, undefined);
  assert.equal(result.data.users.nodes.length, 3);
  assert.deepEqual(more, []);
});

test('the result is that of HTTP', async () => {
  const payload = { query: '{ users(perPage: 2) { nodes { userId email } } logs(take: 1) { nodes { logId type } } }' };
  const response = await fetch(http, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(payload),
  });
  const [result] = await results(client, payload);
  assert.deepEqual(Object.keys(result.data), ['users', 'logs']);
  assert.deepEqual(result.data.users, (await response.json()).data.users);
});

test('many operations share one connection', async () => {
  const sizes = Array.from({ length: 20 }, (_, index) => index + 1);
  const all = await Promise.all(sizes.map((n) => results(client, { query: USERS, variables: { n } })));
  assert.deepEqual(
    all.map(([result]) => result.data.users.perPage),
    sizes,
  );
});

test('a document that is refused ends its operation with errors, and nothing else', async () => {
  await assert.rejects(results(client, { query: '{ nothing }' }), (errors) => {
    assert.equal(errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    return true;
  });
  const [result] = await results(client, { query: '{ gateway { mode } }' });
  assert.equal(result.data.gateway.mode, 'SANDBOX');
});

test('the client can ask whether the gateway is there', async () => {
  const pinging = createClient({ ...options, lazy: false, keepAlive: 10 });
  await new Promise((resolve) => pinging.on('pong', (received) => received && resolve()));
  await pinging.dispose();
});

test('bad credentials close the connection, and say why', async () => {
  const stranger = createClient({ ...options, connectionParams: { authorization: 'Bearer a.b.c' } });
  await assert.rejects(results(stranger, { query: '{ gateway { mode } }' }), (event) => {
    assert.equal(event.code, CloseCode.Forbidden);
    assert.match(event.reason, /token/);
    return true;
  });
});

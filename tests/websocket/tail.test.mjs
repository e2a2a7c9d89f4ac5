// Holds the live tail of the gateway at GATEWAY_URL to the clients that front ends use: graphql-ws over WebSocket, and graphql-sse over
// Server-Sent Events in its distinct connections mode.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWebSocketClient } from 'graphql-ws';
import WebSocket from 'ws';

const gateway = process.env.GATEWAY_URL;
if (!URL.canParse(gateway)) {
  console.error('GATEWAY_URL is not set to a URL: give that of a running gateway, like http://127.0.0.1:3000');
  process.exit(64);
}
const http = new URL('/graphql', gateway).href;

const query = 'subscription Tail($from: ID) { logs(from: $from) { logId user { userId } } }';

/** The newest logs, oldest first. */
async function newest(count) {
  const response = await fetch(http, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query: `{ logs(take: ${count}) { nodes { logId } } }` }),
  });
  const { data } = await response.json();
  return data.logs.nodes.map((log) => log.logId).sort();
}

for (const [name, client] of [
  ['graphql-ws', createWebSocketClient({ url: http.replace(/^http/, 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 })],
  ['graphql-sse', createSseClient({ url: http, retryAttempts: 0 })],
]) {
  test(`${name} has the logs since one, and those that come`, async () => {
    const [from, ...past] = await newest(6);
    const told = [];
    for await (const result of client.iterate({ query, variables: { from } })) {
      assert.equal(result.errors, undefined);
      told.push(result.data.logs.logId);
      if (told.length === past.length + 1) break;
    }
    assert.deepEqual(told.slice(0, -1), past);
    assert.ok(told.at(-1) > past.at(-1), 'one that came meanwhile');
    client.dispose();
  });

  test(`${name} is told what is wrong with a subscription`, async () => {
    const other =
      name === 'graphql-ws'
        ? createWebSocketClient({ url: http.replace(/^http/, 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 })
        : createSseClient({ url: http, retryAttempts: 0 });
    const told = [];
    try {
      for await (const result of other.iterate({ query: 'subscription { logs { nothing } }' })) {
        told.push(...result.errors);
      }
    } catch (errors) {
      told.push(...errors);
    }
    assert.equal(told[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    other.dispose();
  });
}

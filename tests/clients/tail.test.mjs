// The live tail through the clients that front ends use, each over the transport that its manual sets up: Apollo Client over graphql-ws,
// urql over graphql-sse. Relay, which needs its compiler, has its own test.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ApolloClient, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, subscriptionExchange } from '@urql/core';
import { createClient as createSseClient } from 'graphql-sse';
import { createClient as createWebSocketClient } from 'graphql-ws';
import WebSocket from 'ws';
import { ask, control, endpoint } from './gateway.mjs';

// Apollo's link looks at the browser's own, which Node.js has from version 22 on.
globalThis.WebSocket ??= WebSocket;

const document = `
  subscription Tail($from: ID, $filter: LogTailFilter) {
    logs(from: $from, filter: $filter) { id type user { id email } }
  }
`;

/** The newest logs, oldest first. They come in the order of their dates, which is not quite that of ids: of more than are wanted, the last are whole. */
async function newest(count) {
  const { logs } = await ask('{ logs(take: 50) { nodes { id } } }');
  return logs.nodes.map(({ id }) => id).sort().slice(-count);
}

/** Fails unless a subscription has the five newest logs, those that are made meanwhile, and all of them once and in order. */
async function follows(subscribe) {
  const [from, ...past] = await newest(6);
  const told = [];
  let made;
  let unsubscribe;
  await new Promise((resolve, reject) => {
    const isTold = () => made && told.includes(made.at(-1)) && resolve();
    const make = async () => {
      ({ ids: made } = await control('logs', { count: 3 }));
      isTold();
    };
    const next = ({ data, error, errors }) => {
      if (error ?? errors) return reject(error ?? errors);
      told.push(data.logs.id);
      if (told.length === past.length) make().catch(reject);
      isTold();
    };
    unsubscribe = subscribe({ from }, { next, error: reject });
  }).finally(() => unsubscribe());
  assert.deepEqual(told.slice(0, past.length), past);
  assert.deepEqual(told, [...new Set(told)].sort());
  assert.ok(made.every((id) => told.includes(id)));
}

const filter = { type: { eq: 'f' }, userId: { eq: null } };

test('Apollo Client', async () => {
  const socket = createWebSocketClient({ url: endpoint().replace(/^http/, 'ws'), webSocketImpl: WebSocket, retryAttempts: 0 });
  const client = new ApolloClient({ cache: new InMemoryCache(), link: new GraphQLWsLink(socket) });
  const query = gql(document);
  await follows((variables, observer) => {
    const subscription = client.subscribe({ query, variables }).subscribe(observer);
    return () => subscription.unsubscribe();
  });
  const refused = await new Promise((next, error) => client.subscribe({ query, variables: { filter } }).subscribe({ next, error }));
  assert.equal(refused.error.errors[0].extensions.code, 'BAD_USER_INPUT');
  client.stop();
  await socket.dispose();
});

test('urql', async () => {
  const events = createSseClient({ url: endpoint(), retryAttempts: 0 });
  const client = new Client({
    url: endpoint(),
    preferGetMethod: false,
    exchanges: [
      subscriptionExchange({
        forwardSubscription: (operation) => ({
          subscribe: (sink) => ({ unsubscribe: events.subscribe(operation, sink) }),
        }),
      }),
    ],
  });
  await follows((variables, { next }) => {
    const subscription = client.subscription(document, variables).subscribe(next);
    return () => subscription.unsubscribe();
  });
  const refused = await client.subscription(document, { filter }).toPromise();
  assert.equal(refused.error.graphQLErrors[0].extensions.code, 'BAD_USER_INPUT');
  events.dispose();
});

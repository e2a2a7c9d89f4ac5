// Relay: its compiler puts the documents into a manifest, and a gateway that runs no others
// answers its runtime.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { createClient } from 'graphql-sse';
import relay from 'relay-runtime';
import { serveOnly } from './gateway.mjs';

const { Environment, Network, Observable, RecordSource, Store, fetchQuery, getSelector, requestSubscription } = relay;

const generated = fileURLToPath(new URL('relay/__generated__/', import.meta.url));
const manifest = `${generated}persisted.json`;
const artifact = async (name) => (await import(`${generated}${name}.graphql.js`)).default;

let gateway;

before(async () => {
  rmSync(generated, { recursive: true, force: true });
  mkdirSync(generated);
  // The compiler adds to a manifest, and wants one to be there.
  writeFileSync(manifest, '{}');
  execFileSync('node_modules/.bin/relay-compiler', ['relay.config.json'], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  });
  gateway = await serveOnly(manifest);
});

after(() => gateway?.stop());

async function ask(parameters) {
  const response = await fetch(gateway.url, {
    method: 'POST',
    headers: { accept: 'application/graphql-response+json', 'content-type': 'application/json' },
    body: JSON.stringify(parameters),
  });
  return response.json();
}

test("the compiler's documents run by their ids, and fill the runtime's store", async () => {
  const environment = new Environment({
    network: Network.create(({ id, text }, variables) => {
      assert.equal(text, null);
      return ask({ doc_id: id, variables });
    }),
    store: new Store(new RecordSource()),
  });
  const query = await artifact('queriesRecentLogsQuery');
  const { logs } = await fetchQuery(environment, query, { take: 20 }).toPromise();
  assert.equal(logs.nodes.length, 20);
  assert.equal(new Set(logs.nodes.map(({ id }) => id)).size, 20);
  assert.equal(logs.next, logs.nodes.map(({ id }) => id).sort().at(-1));

  const fragment = await artifact('queriesWho_log');
  const read = logs.nodes.map((node) => environment.lookup(getSelector(fragment, node)).data);
  assert.ok(read.some(({ user }) => user?.email));
});

test("the compiler's subscriptions run by their ids, and the logs are in the store as they come", async () => {
  const events = createClient({ url: gateway.url, retryAttempts: 0 });
  const environment = new Environment({
    network: Network.create(
      ({ id }, variables) => ask({ doc_id: id, variables }),
      ({ id }, variables) => Observable.create((sink) => events.subscribe({ doc_id: id, variables }, sink)),
    ),
    store: new Store(new RecordSource()),
  });
  const query = await artifact('queriesRecentLogsQuery');
  const { logs } = await fetchQuery(environment, query, { take: 50 }).toPromise();
  const [from, ...past] = logs.nodes.map(({ id }) => id).sort().slice(-6);
  const subscription = await artifact('queriesTailSubscription');
  const told = [];
  await new Promise((resolve, reject) => {
    const { dispose } = requestSubscription(environment, {
      subscription,
      variables: { from },
      onError: reject,
      onNext: ({ logs }) => {
        told.push(logs.id);
        if (told.length > past.length) resolve(dispose());
      },
    });
  });
  assert.deepEqual(told.slice(0, -1), past);
  assert.ok(told.at(-1) > past.at(-1), 'one that came meanwhile');
  assert.equal(environment.getStore().getSource().get(told.at(-1)).__typename, 'Log');
  events.dispose();
});

test('no other document runs', async () => {
  const [id] = Object.keys(JSON.parse(readFileSync(manifest, 'utf8')));
  for (const [parameters, code] of [
    [{ query: '{ users { total } }' }, 'PERSISTED_QUERY_ONLY'],
    [{ doc_id: id.split('').reverse().join('') }, 'PERSISTED_QUERY_NOT_FOUND'],
  ]) {
    const { data, errors } = await ask(parameters);
    assert.equal(data, undefined);
    assert.equal(errors[0].extensions.code, code);
  }
});

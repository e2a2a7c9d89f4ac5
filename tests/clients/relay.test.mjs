// Relay: its compiler puts the documents into a manifest, and a gateway that runs no others
// answers its runtime.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import relay from 'relay-runtime';
import { serveOnly } from './gateway.mjs';

const { Environment, Network, RecordSource, Store, fetchQuery, getSelector } = relay;

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

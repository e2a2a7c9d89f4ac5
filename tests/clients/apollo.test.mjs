// Apollo: its tool puts the documents into a manifest, and a gateway that runs no others answers
// its client.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { generatePersistedQueryIdsFromManifest } from '@apollo/persisted-query-lists';
import { people } from './apollo/queries.js';
import { ADA, recordingFetch, serveOnly } from './gateway.mjs';

const generated = fileURLToPath(new URL('apollo/__generated__/', import.meta.url));
const manifest = `${generated}persisted-query-manifest.json`;
const read = () => JSON.parse(readFileSync(manifest, 'utf8'));

let gateway;

before(async () => {
  rmSync(generated, { recursive: true, force: true });
  mkdirSync(generated);
  const config = 'apollo/persisted-query-manifest.config.json';
  execFileSync('node_modules/.bin/generate-persisted-query-manifest', ['--config', config], {
    cwd: fileURLToPath(new URL('.', import.meta.url)),
  });
  gateway = await serveOnly(manifest);
});

after(() => gateway?.stop());

const client = (fetch, ...links) =>
  new ApolloClient({
    cache: new InMemoryCache(),
    link: ApolloLink.from([...links, new HttpLink({ uri: gateway.url, fetch })]),
  });

const variables = { q: `email:"${ADA}"`, perPage: 5 };

test("the tool's documents run by their ids", async () => {
  const { fetch, requests } = recordingFetch();
  const byId = new PersistedQueryLink(
    generatePersistedQueryIdsFromManifest({ loadManifest: read }),
  );
  const { data } = await client(fetch, byId).query({ query: people, variables });
  assert.ok(data.users.nodes.length > 0);
  assert.ok(
    data.users.nodes.every(({ __typename, email }) => __typename === 'User' && email === ADA),
  );
  const [{ id, body }] = read().operations;
  assert.match(body, /fragment Person on User/);
  assert.deepEqual(
    requests.map(({ parameters: { query, extensions } }) => [
      query,
      extensions.persistedQuery.sha256Hash,
    ]),
    [[undefined, id]],
  );
});

test('no other document runs', async () => {
  const query = gql`
    query ApolloTotal {
      users {
        total
      }
    }
  `;
  await assert.rejects(client(globalThis.fetch).query({ query }), ({ errors }) => {
    assert.equal(errors[0].extensions.code, 'PERSISTED_QUERY_ONLY');
    return true;
  });
});

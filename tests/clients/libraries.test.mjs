// The client libraries that front ends use, as their manuals set them up.

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { Client, fetchExchange } from '@urql/core';
import { persistedExchange } from '@urql/exchange-persisted';
import { ClientError, GraphQLClient } from 'graphql-request';
import { ADA, endpoint, freshName, recordingFetch } from './gateway.mjs';

const url = endpoint();

const people = (name) => `query ${name}($q: String!, $perPage: Int!) {
  users(q: $q, perPage: $perPage) { total nodes { userId name email } }
}`;
const variables = { q: `email:"${ADA}"`, perPage: 5 };

function assertAda({ users }) {
  assert.equal(users.total, users.nodes.length);
  assert.ok(users.nodes.length > 0);
  for (const { name, email } of users.nodes) {
    assert.equal(name, 'Ada Brandt');
    assert.equal(email, ADA);
  }
}

/** What of the document each request carried. */
const carried = (requests) =>
  requests.map(({ method, parameters }) =>
    [method, parameters.query && 'text', parameters.extensions && 'hash'].filter(Boolean).join(' '),
  );

describe('@apollo/client', () => {
  const client = (fetch) =>
    new ApolloClient({
      cache: new InMemoryCache(),
      link: ApolloLink.from([
        new PersistedQueryLink({ sha256: (text) => createHash('sha256').update(text).digest('hex') }),
        new HttpLink({ uri: url, fetch }),
      ]),
    });

  test('registers a document once and then sends its hash', async () => {
    const query = gql(people(freshName()));
    for (const expected of [['POST hash', 'POST text hash'], ['POST hash']]) {
      const { fetch, requests } = recordingFetch();
      assertAda((await client(fetch).query({ query, variables })).data);
      assert.deepEqual(carried(requests), expected);
    }
  });

  test('hears what is wrong with its arguments', async () => {
    const query = gql(people('People'));
    const answer = client(fetch).query({ query, variables: { ...variables, perPage: 101 } });
    await assert.rejects(answer, ({ errors }) => {
      assert.equal(errors[0].extensions.code, 'BAD_USER_INPUT');
      return true;
    });
  });
});

describe('urql', () => {
  const ask = async (query, options) => {
    const { fetch, requests } = recordingFetch();
    const { data, error } = await new Client({ url, fetch, ...options })
      .query(query, variables)
      .toPromise();
    assert.equal(error, undefined);
    assertAda(data);
    return carried(requests);
  };

  test('registers a document by POST once and then sends its hash', async () => {
    const query = people(freshName());
    const options = {
      preferGetMethod: false,
      exchanges: [persistedExchange({ preferGetForPersistedQueries: false }), fetchExchange],
    };
    assert.deepEqual(await ask(query, options), ['POST hash', 'POST text hash']);
    assert.deepEqual(await ask(query, options), ['POST hash']);
  });

  test('asks for a registered document by GET', async () => {
    const query = people(freshName());
    const options = {
      preferGetMethod: false,
      exchanges: [persistedExchange({ preferGetForPersistedQueries: true }), fetchExchange],
    };
    assert.deepEqual(await ask(query, options), ['GET hash', 'GET text hash']);
    assert.deepEqual(await ask(query, options), ['GET hash']);
  });

  test('sends a text by GET', async () => {
    const options = { preferGetMethod: 'force', exchanges: [fetchExchange] };
    assert.deepEqual(await ask(people('People'), options), ['GET text']);
  });
});

describe('graphql-request', () => {
  const client = new GraphQLClient(url);

  test('asks with variables', async () => {
    assertAda(await client.request(people('People'), variables));
  });

  test('hears what is wrong with its document', async () => {
    await assert.rejects(client.request('{ users { nonesuch } }'), (error) => {
      assert.ok(error instanceof ClientError);
      assert.equal(error.response.errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
      return true;
    });
  });
});

// What a federated graph promises: both compositions take the subgraph, and a gateway answers from both subgraphs at once.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';

import { composeServices as composeByApollo } from '@apollo/composition';
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway';
import { composeServices as composeByTheGuild } from '@theguild/federation-composition';
import { parse } from 'graphql';

import { loyalty, typeDefs } from './loyalty.mjs';
import { startSubgraph } from './subgraph.mjs';

let subgraph;
let sdl;
let people;
let logs;

/** Asks the subgraph itself. */
async function askSubgraph(query) {
  const body = JSON.stringify({ query });
  const response = await fetch(subgraph.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined);
  return data;
}

before(async () => {
  subgraph = await startSubgraph();
  ({ sdl } = (await askSubgraph('{ _service { sdl } }'))._service);
  const data = await askSubgraph('{ users(perPage: 60) { nodes { id name } } logs(take: 40) { nodes { logId type } } }');
  people = data.users.nodes;
  logs = data.logs.nodes;
});

after(() => subgraph?.stop());

const compositions = {
  '@apollo/composition': composeByApollo,
  '@theguild/federation-composition': composeByTheGuild,
};

for (const [name, compose] of Object.entries(compositions)) {
  describe(name, () => {
    let gateway;
    let ask;
    const calls = [];

    before(async () => {
      const services = [
        { name: 'auth0', url: subgraph.url, typeDefs: parse(sdl) },
        { name: 'loyalty', url: 'http://loyalty.invalid', typeDefs },
      ];
      const { supergraphSdl, errors } = compose(services);
      assert.deepEqual((errors ?? []).map(({ message }) => message), []);
      const other = loyalty({
        members: () => [...people, { id: 'auth0|gone' }, people[0]].map(({ id }) => id),
        tickets: () => logs.map(({ logId }) => logId),
      });
      class Subgraph extends RemoteGraphQLDataSource {
        didReceiveResponse({ response }) {
          calls.push(Number(response.http.headers.get('x-upstream-calls')));
          return response;
        }
      }
      const buildService = ({ name, url }) => (name === 'auth0' ? new Subgraph({ url }) : other);
      gateway = new ApolloGateway({ supergraphSdl, buildService, logger: quiet });
      const { executor, schema } = await gateway.load();
      ask = async (query, variables = {}) => {
        calls.length = 0;
        const request = { query, variables, http: { headers: new Headers() } };
        const document = parse(query);
        const { data, errors } = await executor({ request, document, schema, context: {}, metrics: {}, queryHash: query, logger: quiet });
        return { data, errors };
      };
    });

    after(() => gateway?.stop());

    test('the other subgraph names users, and ours has their names, fifty in a call', async () => {
      const { data, errors } = await ask('{ members { nodes { points name __typename } pageInfo { hasNextPage } } }');
      assert.equal(errors, undefined);
      const { nodes, pageInfo } = data.members;
      assert.equal(pageInfo.hasNextPage, false);
      assert.deepEqual(nodes.slice(0, 60).map(({ name }) => name), people.map(({ name }) => name));
      // Who is gone has points, and no name.
      assert.deepEqual({ ...nodes[60] }, { points: 10, name: null, __typename: 'User' });
      assert.deepEqual(nodes[61], nodes[0]);
      // Two searches for 61, and a look at who is gone.
      assert.deepEqual(calls, [3]);
    });

    test('ours finds users, and the other subgraph has their points', async () => {
      const query = 'query ($n: Int!) { users(perPage: $n, sort: { field: USER_ID }) { nodes { userId points } } }';
      const { data, errors } = await ask(query, { n: 5 });
      assert.equal(errors, undefined);
      assert.equal(data.users.nodes.length, 5);
      for (const { userId, points } of data.users.nodes) assert.equal(points, userId.length);
      assert.deepEqual(calls, [1]);
    });

    test('logs are found by their ids, and lead on to their users', async () => {
      const { data, errors } = await ask('{ openTickets { ticket type user { id points } } }');
      assert.equal(errors, undefined);
      assert.deepEqual(data.openTickets.map(({ type }) => type), logs.map(({ type }) => type));
      const users = data.openTickets.map(({ user }) => user).filter(Boolean);
      assert.ok(users.length > 5);
      for (const { id, points } of users) assert.equal(points, id.length);
    });

    test('an error of an entity comes through with its code', async () => {
      const { data, errors } = await ask('{ members { nodes { roles { nodes { name } } } } }');
      assert.equal(data.members.nodes[0].roles, null);
      assert.equal(errors[0].extensions.code, 'QUERY_TOO_COMPLEX');
    });
  });
}

const quiet = { debug() {}, info() {}, warn() {}, error: console.error };

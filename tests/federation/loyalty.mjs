// Another subgraph, which knows the points of users and the tickets of logs. It is asked without HTTP.

import { buildASTSchema, execute, parse } from 'graphql';

export const typeDefs = parse(`
  extend schema @link(url: "https://specs.apollo.dev/federation/v2.3", import: ["@key", "@shareable"])

  type Query {
    members: MemberConnection!
    openTickets: [Log!]!
    node(id: ID!): Node @shareable
  }

  interface Node { id: ID! }
  type MemberConnection { nodes: [User!]! pageInfo: PageInfo! }
  type PageInfo @shareable { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
  type User implements Node @key(fields: "id") @key(fields: "userId") { id: ID! userId: ID points: Int! }
  type Log @key(fields: "logId") { logId: ID ticket: String! }
`);

/** A data source of a gateway, for the members and tickets that it is given. */
export function loyalty({ members, tickets }) {
  const plain = parse(`
    type Query { members: MemberConnection! openTickets: [Log!]! _entities(representations: [_Any!]!): [_Entity]! }
    scalar _Any
    union _Entity = User | Log
    type MemberConnection { nodes: [User!]! pageInfo: PageInfo! }
    type PageInfo { hasNextPage: Boolean! hasPreviousPage: Boolean! startCursor: String endCursor: String }
    type User { id: ID! userId: ID points: Int! }
    type Log { logId: ID ticket: String! }
  `);
  const schema = buildASTSchema(plain);
  const user = (id) => ({ __typename: 'User', id, userId: id, points: id.length });
  const log = (logId) => ({ __typename: 'Log', logId, ticket: `T-${logId.slice(-4)}` });
  const rootValue = {
    members: () => ({ nodes: members().map(user), pageInfo: { hasNextPage: false, hasPreviousPage: false } }),
    openTickets: () => tickets().map(log),
    _entities: ({ representations }) =>
      representations.map(({ __typename, id, userId, logId }) => (__typename === 'User' ? user(id ?? userId) : log(logId))),
  };
  return {
    process: async ({ request: { query, variables } }) =>
      execute({ schema, document: parse(query), rootValue, variableValues: variables }),
  };
}

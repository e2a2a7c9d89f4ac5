import type { ResultOf, TypedDocumentNode } from '@graphql-typed-document-node/core';
import { graphql } from './gql/index.js';

const People = graphql(`
  query People($q: String, $sort: UserSort) {
    users(q: $q, perPage: 2, sort: $sort) {
      total
      nodes {
        userId
        name
        email
        lastLogin
        appMetadata
      }
    }
  }
`);

/** Asks for a document by the id that the generator gave it. */
async function execute<Data, Variables>(
  url: string,
  document: TypedDocumentNode<Data, Variables>,
  variables: Variables,
): Promise<Data> {
  const { hash } = (document as { __meta__?: Record<string, string> }).__meta__ ?? {};
  const response = await fetch(url, {
    method: 'POST',
    headers: { accept: 'application/graphql-response+json', 'content-type': 'application/json' },
    body: JSON.stringify({ documentId: hash, variables }),
  });
  const { data, errors } = (await response.json()) as { data?: Data; errors?: unknown };
  if (!data || errors) throw new Error(JSON.stringify(errors));
  return data;
}

type Person = NonNullable<ResultOf<typeof People>['users']>['nodes'][number];

/** The first people that a search finds, and how many there are. */
export async function people(url: string, q: string): Promise<{ names: string[]; total: number }> {
  const { users } = await execute(url, People, { q, sort: { field: 'EMAIL' } });
  const name = ({ name, email }: Person): string => name ?? email ?? '';
  return { names: users?.nodes.map(name) ?? [], total: users?.total ?? 0 };
}

/** What the generated types must refuse; never called. The compiler fails where it does not. */
export async function mistakes(url: string): Promise<void> {
  // @ts-expect-error There is no such order.
  await execute(url, People, { sort: { field: 'SHOE_SIZE' } });
  // @ts-expect-error An order needs a field.
  await execute(url, People, { sort: { direction: 'ASC' } });
  const { users } = await execute(url, People, {});
  // @ts-expect-error The page is null where the users could not be read.
  users.nodes;
  // @ts-expect-error It was not selected.
  users?.nodes[0]?.nickname;
}

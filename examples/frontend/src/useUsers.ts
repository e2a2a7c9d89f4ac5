import { useEffect, useState } from 'react';
import { ask, type Answer, type GatewayError } from './gateway';
import { graphql } from './gql';
import type { UserFilter, UsersQuery } from './gql/graphql';

// The total is a call of its own to Auth0 behind the first page, where it is known already.
const Users = graphql(`
  query Users($filter: UserFilter, $after: String, $first: Boolean!) {
    usersConnection(first: 50, after: $after, filter: $filter, direction: DESC) {
      totalCount @include(if: $first)
      pageInfo {
        hasNextPage
        endCursor
      }
      nodes {
        id
        name
        email
        lastLogin
        blocked
      }
    }
  }
`);

type User = NonNullable<UsersQuery['usersConnection']>['nodes'][number];

/** How far the list of users has come. */
export interface Walk {
  users: User[];
  /** How many there are in all; null from 1,000 on, and absent before the first page. */
  total?: number | null;
  /** The place to go on from. */
  after?: string | null;
  hasNextPage: boolean;
  loading: boolean;
  errors: GatewayError[];
}

const START: Walk = { users: [], hasNextPage: true, loading: true, errors: [] };

/** The walk with one more page, or where it was if that page failed. */
function withPage(walk: Walk, { data, errors = [] }: Answer<UsersQuery>): Walk {
  const page = data?.usersConnection;
  if (!page) return { ...walk, loading: false, errors };
  return {
    users: [...walk.users, ...page.nodes],
    total: walk.after ? walk.total : page.totalCount,
    after: page.pageInfo.endCursor,
    hasNextPage: page.pageInfo.hasNextPage,
    loading: false,
    errors: [],
  };
}

/** All users that a filter finds, the newest first, a page at a time: `more` asks for the next, or again for one that failed.
 * Another filter is another walk: give the component a `key`. */
export function useUsers(filter?: UserFilter): Walk & { more: () => void } {
  const [walk, setWalk] = useState(START);
  const { after, loading } = walk;

  useEffect(() => {
    if (!loading) return;
    const request = new AbortController();
    void ask(Users, { filter, after, first: !after }, request.signal).then((answer) => {
      if (!request.signal.aborted) setWalk((walk) => withPage(walk, answer));
    });
    return () => request.abort();
  }, [after, loading]);

  return { ...walk, more: () => setWalk((walk) => ({ ...walk, loading: true, errors: [] })) };
}

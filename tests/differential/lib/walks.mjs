// Searches that are walked by connections, and the cursors that the gateway gives for their records. What is in a cursor is the gateway's
// own business: it is learned here, by record, and what a later question answers behind it is what is compared.
import { walkKey } from './oracle.mjs';

const WALKS = [
  ['usersConnection', {}],
  ['usersConnection', { direction: 'DESC' }],
  ['usersConnection', { filter: { email: { endsWith: '@EXAMPLE.com' }, or: [{ loginsCount: { gte: 3 } }, { blocked: { eq: false } }] } }],
  ['usersConnection', { q: 'name:Person* OR email_verified:true', direction: 'DESC' }],
  ['usersConnection', { q: 'identities.provider:"auth0"', filter: { not: { userMetadata: { path: 'theme', eq: 'light' } } } }],
  ['usersConnection', { filter: { name: { eq: 'nobody at all' } } }],
  ['logsConnection', {}],
  ['logsConnection', { filter: { type: { in: ['s', 'f', 'fp', 'w', 'fc'] } } }],
  ['logsConnection', { q: 'description:*happened', filter: { userId: { startsWith: 'auth0|' }, date: { gte: '2026-11-01T00:00:00Z' } } }],
];

const NAMES = { usersConnection: ['users', 'userId'], logsConnection: ['logs', 'logId'] };
/** A value as a literal: what is in capitals is an enum's. */
const literal = (value) => (Array.isArray(value) ? `[${value.map(literal)}]` : typeof value === 'object' ? `{${Object.entries(value).map(([key, inner]) => `${key}:${literal(inner)}`)}}` : /^[A-Z]+$/.test(value) ? value : JSON.stringify(value));

/** A page of a walk: `{ edges, pageInfo }`, or null for who may not read it. */
export async function pageOf(ask, [field, args], first, after) {
  const all = Object.entries({ first, ...args, ...(after && { after }) }).map(([name, value]) => `${name}:${literal(value)}`);
  const { data, messages } = await ask({ query: `{c:${field}(${all}){edges{cursor node{id}}pageInfo{hasNextPage hasPreviousPage startCursor endCursor}}}` });
  const page = data?.get('c');
  if (!page) return { page: null, messages };
  const info = page.get('pageInfo');
  return {
    page: {
      edges: page.get('edges').map((edge) => ({ cursor: edge.get('cursor'), id: edge.get('node').get('id') })),
      pageInfo: Object.fromEntries(info.entries),
    },
  };
}

/** The key of a walk's search, by which the oracle knows it. */
const keyOf = ([field, args]) => walkKey(NAMES[field][0], { ...args, direction: args.direction ?? (field === 'usersConnection' ? 'ASC' : undefined) });

/** Walks everything once: `walks` for the generator, `cursors` for the oracle, and what was walked. */
export async function learn(ask) {
  const walks = [];
  const cursors = new Map();
  for (const walk of WALKS) {
    const edges = [];
    let page;
    do {
      ({ page } = await pageOf(ask, walk, 500, page?.pageInfo.endCursor));
      edges.push(...(page?.edges ?? []));
    } while (page?.pageInfo.hasNextPage && edges.length < 2000);
    const own = edges.map(({ cursor }) => cursor);
    own.forEach((cursor, index) => cursors.set(cursor, { key: keyOf(walk), before: index + 1 }));
    if (own.length > 0) walks.push({ id: walks.length, walk, field: walk[0], args: walk[1], cursors: own, ids: edges.map(({ id }) => id) });
  }
  return { walks, cursors };
}

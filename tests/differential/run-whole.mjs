// Every field of every record of the tenant: whatever odd value there is, it is asked for once.
import { readFileSync } from 'node:fs';
import { ask, snapshot } from './lib/gateway.mjs';
import { OBJECTS } from './lib/generate.mjs';
import { buildOracle } from './lib/oracle.mjs';
import { compare } from './lib/compare.mjs';
import { LOGS, USERS } from './lib/tenant.mjs';

const sdl = readFileSync(process.env.SDL ?? 'schema.graphql', 'utf8');
const oracle = buildOracle(sdl, await snapshot());
/** The whole selection of a type, but for what joins lead on to. */
const whole = (type) =>
  `{__typename ${OBJECTS[type]
    .filter(({ type: inner }) => inner === undefined || !(isJoin(inner) || inner === 'User'))
    .map(({ name, type: inner }) => name + (inner ? whole(inner) : ''))
    .join(' ')}}`;
const isJoin = (type) => OBJECTS[type].some(({ name }) => name === 'nodes');
const lists = OBJECTS.User.filter(({ type }) => type && isJoin(type));
const PER_PAGE = 10;
const queries = [];
for (let page = 0; page * PER_PAGE < USERS.length; page++) {
  const users = `users(page:${page},perPage:${PER_PAGE},sort:{field:USER_ID})`;
  queries.push(`{${users}{nodes${whole('User')}}}`);
  for (const { name, type } of lists) queries.push(`{${users}{nodes{id ${name}${name === 'logs' ? `(perPage:3){nodes{id user${whole('User')}}}` : whole(type)}}}}`);
}
for (const { id } of USERS) queries.push(`{user(id:${JSON.stringify(id)})${whole('User')}}`);
for (let page = 0; page * PER_PAGE < LOGS.length; page++) queries.push(`{searchLogs(page:${page},perPage:${PER_PAGE}){nodes${whole('Log')}}}`);
let wrong = 0;
for (const query of queries) {
  const verdict = compare(await ask({ query }), oracle.run({ query }));
  if (!verdict) continue;
  wrong++;
  if (wrong <= 5) console.log(`---\n${query.slice(0, 200)}\n${verdict.kind}: ${verdict.why.slice(0, 500)}`);
}
console.log(`whole records: ${queries.length} documents, disagreements: ${wrong}`);
process.exit(wrong > 0 ? 1 : 0);

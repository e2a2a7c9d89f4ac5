// Connections, walked from end to end by pages of several sizes: each record once, in the oracle's order, and every cursor a place to go on from.
// With IMPORTED=1, for the fake Auth0 too, over more users than a call brings, most of them of one millisecond.
import { readFileSync } from 'node:fs';
import { ask, snapshot } from './lib/gateway.mjs';
import { buildOracle } from './lib/oracle.mjs';
import { learn, pageOf } from './lib/walks.mjs';

const sdl = readFileSync(process.env.SDL ?? 'schema.graphql', 'utf8');
const { walks, cursors } = await learn(ask);
const oracle = buildOracle(sdl, await snapshot(), undefined, cursors);
const found = [];
const expect = (is, walk, what) => is || found.push(`${JSON.stringify(walk.walk)}: ${what}`);
if (walks.length < 8) found.push(`only ${walks.length} searches brought something`);
let pages = 0;
for (const walk of walks) {
  const { query } = await new Promise((resolve) => pageOf(async (request) => (resolve(request), {}), walk.walk, 500));
  const idsOf = (data) => data.entries[0][1].get('edges').map((edge) => edge.get('node').get('id'));
  expect(JSON.stringify(walk.ids) === JSON.stringify(idsOf(oracle.run({ query }).data)), walk, "not the oracle's order");
  for (const first of process.env.IMPORTED ? [7, 50, 100, 333] : [1, 2, 7, 20, 50, 99]) {
    const ids = [];
    let after;
    for (let turn = 0; ; turn++) {
      const { page, messages } = await pageOf(ask, walk.walk, first, after);
      pages++;
      if (!page) { expect(false, walk, `by ${first} behind ${after}: ${messages}`); break; }
      const { edges, pageInfo } = page;
      ids.push(...edges.map(({ id }) => id));
      expect(edges.length <= first, walk, `${edges.length} of ${first}`);
      expect(pageInfo.hasPreviousPage === turn > 0, walk, `hasPreviousPage on page ${turn} by ${first}`);
      expect(pageInfo.startCursor === (edges[0]?.cursor ?? null), walk, `startCursor on page ${turn} by ${first}`);
      if (edges.length > 0) expect(pageInfo.endCursor === edges.at(-1).cursor, walk, `endCursor on page ${turn} by ${first}`);
      after = pageInfo.endCursor;
      if (!pageInfo.hasNextPage || ids.length > walk.ids.length) break;
    }
    expect(JSON.stringify(ids) === JSON.stringify(walk.ids), walk, `by ${first}: ${ids.length} records, not the ${walk.ids.length} in order`);
  }
  for (const [index, cursor] of walk.cursors.entries()) {
    if (process.env.IMPORTED && index % 5 !== 3) continue;
    const { page } = await pageOf(ask, walk.walk, 500, cursor);
    pages++;
    const [got, wanted] = [page?.edges.map(({ id }) => id) ?? [], walk.ids.slice(index + 1)];
    // A page may leave the last few to the next.
    expect(JSON.stringify(got) === JSON.stringify(page?.pageInfo.hasNextPage ? wanted.slice(0, got.length) : wanted), walk, `behind record ${index}`);
  }
}
found.forEach((what) => console.log(what));
console.log(`walks: ${walks.length} searches, ${pages} pages, disagreements: ${found.length}`);
process.exit(found.length > 0 ? 1 : 0);

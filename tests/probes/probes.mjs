// Attacks the gateway at GATEWAY_URL as is usual for GraphQL servers, and reports what each attack costs it. Each must be
// refused, and a good request answered after it. GATEWAY_PID is the gateway's process, whose time and memory are told where
// the system has /proc. With `slow` also connections that are slow on purpose, which take as long as the gateway bears them.

import { readFileSync, writeFileSync } from 'node:fs';
import net from 'node:net';

const { GATEWAY_URL, GATEWAY_PID } = process.env;
if (!URL.canParse(GATEWAY_URL)) {
  console.error(
    'GATEWAY_URL is not set to a URL: give that of a running gateway, like http://127.0.0.1:3000',
  );
  process.exit(64);
}
const endpoint = new URL('/graphql', GATEWAY_URL);

/** How often each is sent, one after the other. */
const TIMES = 20;
/** How many connections are slow at once. */
const CONNECTIONS = 200;
/** After which a connection that the gateway still bears is a fault. */
const PATIENCE = 60_000;

const times = (count, part) => Array.from({ length: count }, (_, index) => part(index)).join('');
const doubling = (levels) =>
  `{ ...F0 } ${times(levels, (n) => `fragment F${n} on Query { ...F${n + 1} ...F${n + 1} } `)} ` +
  `fragment F${levels} on Query { __typename }`;
const query = (text) => JSON.stringify({ query: text });

const COMPLEX = 'QUERY_TOO_COMPLEX';
const BAD = 'BAD_REQUEST';

/** What is sent, and the status and the code that refuse it. */
const probes = [
  ['doubling fragments', query(doubling(20)), 400, COMPLEX],
  ['doubling fragments, higher', query(doubling(500)), 400, COMPLEX],
  [
    'fragments in a circle',
    query('{ ...A } fragment A on Query { ...B } fragment B on Query { ...A }'),
    400,
    'GRAPHQL_VALIDATION_FAILED',
  ],
  ['aliases', query(`{ ${times(1_000, (n) => `a${n}: __typename `)}}`), 400, COMPLEX],
  ['directives', query(`{ __typename ${times(1_000, () => '@skip(if: false) ')}}`), 400, COMPLEX],
  ['unknown directives', query(`{ __typename ${times(1_000, (n) => `@a${n} `)}}`), 400, COMPLEX],
  ['one field many times', query(`{ users { ${times(5_000, () => 'total ')}} }`), 400, COMPLEX],
  [
    'unknown fields',
    query(`{ users { ${times(1_900, (n) => `nope${n} `)}} }`),
    400,
    'GRAPHQL_VALIDATION_FAILED',
  ],
  ['deep fields', query(`${'{ a '.repeat(5_000)}${'}'.repeat(5_000)}`), 400, COMPLEX],
  ['deep lists', query(`{ users(q: ${'['.repeat(40_000)}`), 400, COMPLEX],
  [
    'introspection in circles',
    query(`{ __schema { types ${'{ fields { type '.repeat(7)}{ name }${'} }'.repeat(7)} } }`),
    400,
    COMPLEX,
  ],
  [
    'a costly page, many times',
    query(
      `{ ${times(15, (n) => `p${n}: users(page: ${n}, perPage: 100) { nodes { ${times(5, (m) => `a${m}: attributes `)}} } `)}}`,
    ),
    400,
    COMPLEX,
  ],
  [
    'calls',
    query(`{ ${times(50, (n) => `u${n}: user(id: "auth0|${n}") { email } `)}}`),
    400,
    COMPLEX,
  ],
  ['a long document', query(`{ __typename } #${'x'.repeat(90_000)}`), 400, COMPLEX],
  [
    'a long variable',
    JSON.stringify({
      query: 'query($q: String) { users(q: $q) { page } }',
      variables: { q: 'x'.repeat(90_000) },
    }),
    400,
    COMPLEX,
  ],
  [
    'a batch',
    `[${times(1_000, () => `${query('{ __typename }')},`)}${query('{ __typename }')}]`,
    400,
    BAD,
  ],
  ['deep JSON', `{"query":"{ __typename }","variables":${'['.repeat(40_000)}`, 400, BAD],
  ['a body of 10 MB', 'x'.repeat(10_000_000), 413, BAD],
];

/** The gateway's processor time in ms, and its memory and the most that it was, in kB. */
function usage() {
  if (!GATEWAY_PID) return undefined;
  try {
    const ticks = readFileSync(`/proc/${GATEWAY_PID}/stat`, 'utf8')
      .split(') ')
      .pop()
      .split(' ')
      .slice(11, 13);
    const status = readFileSync(`/proc/${GATEWAY_PID}/status`, 'utf8');
    const memory = (name) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)[1]);
    // A hundred ticks a second, wherever Linux runs.
    return {
      cpu: 10 * (Number(ticks[0]) + Number(ticks[1])),
      now: memory('VmRSS'),
      peak: memory('VmHWM'),
    };
  } catch {
    return undefined;
  }
}

/** Has the most memory be measured anew. */
function forgetPeak() {
  try {
    writeFileSync(`/proc/${GATEWAY_PID}/clear_refs`, '5');
  } catch {
    // Then it is the most since the start.
  }
}

async function post(body) {
  const headers = {
    accept: 'application/graphql-response+json',
    'content-type': 'application/json',
  };
  const start = performance.now();
  const response = await fetch(endpoint, { method: 'POST', headers, body });
  const text = await response.text();
  return {
    status: response.status,
    ms: performance.now() - start,
    bytes: text.length,
    answer: JSON.parse(text),
  };
}

const faults = [];
const fixed = (value) => value.toFixed(1).padStart(8);
const kilobytes = (bytes) => `${(bytes / 1000).toFixed(1)} kB`.padStart(11);

/** What the gateway took since `before`: processor time for each of `count`, and memory beyond what it had. */
function taken(before, count) {
  const after = usage();
  if (!before || !after) return '';
  const grown = Math.max(0, after.peak - before.now);
  return `${fixed((after.cpu - before.cpu) / count)}${`${(grown / 1000).toFixed(1)} MB`.padStart(10)}`;
}

async function probe([name, body, status, code]) {
  forgetPeak();
  const before = usage();
  const answers = [];
  for (let count = 0; count < TIMES; count += 1) answers.push(await post(body));
  const cost = taken(before, TIMES);
  for (const { status: got, answer } of answers) {
    const [error] = answer.errors ?? [];
    if (got !== status || error?.extensions.code !== code || 'data' in answer) {
      faults.push(
        `${name}: ${status} ${code} was expected, and ${got} ${error?.extensions.code} came`,
      );
      break;
    }
  }
  const good = await post(query('{ __typename }'));
  if (good.answer.data?.__typename !== 'Query')
    faults.push(`after ${name} a good request was not answered`);
  const sorted = answers.map(({ ms }) => ms).sort((a, b) => a - b);
  const [{ bytes }] = answers;
  console.log(
    `${name.padEnd(28)}${kilobytes(body.length)}${kilobytes(bytes)}${fixed(sorted[TIMES / 2])}${fixed(sorted.at(-1))}${cost}`,
  );
}

/** A connection that sends `head` and then a byte now and then, until the gateway has closed it. Gives how long that took,
 * and what came first. */
function slow(head) {
  return new Promise((resolve) => {
    const start = performance.now();
    const socket = net.connect(endpoint.port || 80, endpoint.hostname);
    let said = '';
    let drip;
    const patience = setTimeout(() => socket.destroy(), PATIENCE);
    socket.on('connect', () => {
      socket.write(head);
      drip = setInterval(() => socket.write('x'), 500);
    });
    socket.on('data', (data) => {
      said += data;
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      clearInterval(drip);
      clearTimeout(patience);
      resolve({ ms: performance.now() - start, said: said.split('\r\n')[0] || 'nothing' });
    });
  });
}

async function slowly(name, head) {
  forgetPeak();
  const before = usage();
  const connections = Array.from({ length: CONNECTIONS }, () => slow(head));
  let ended = false;
  const all = Promise.all(connections).then((results) => {
    ended = true;
    return results;
  });
  let worst = 0;
  while (!ended) {
    const good = await post(query('{ __typename }'));
    worst = Math.max(worst, good.ms);
    if (good.status !== 200)
      faults.push(`${name}: meanwhile a good request was answered ${good.status}`);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  const cost = taken(before, 1);
  const results = await all;
  const longest = Math.max(...results.map(({ ms }) => ms));
  if (longest >= PATIENCE) faults.push(`${name}: a connection was borne for ${PATIENCE} ms`);
  const said = [...new Set(results.map(({ said }) => said))].join(', ');
  console.log(
    `${name.padEnd(28)} ${CONNECTIONS} connections, closed after ${(longest / 1000).toFixed(1)} s at the latest, told: ${said}\n` +
      `${''.padEnd(28)} others were answered within ${worst.toFixed(1)} ms; processor time in ms, and memory:${cost}`,
  );
}

console.log(
  `${''.padEnd(28)}       sent   answered  median   worst${usage() ? '     cpu    memory' : ''}`,
);
console.log(
  `${''.padEnd(28)}                             ms      ms${usage() ? '      ms      more' : ''}`,
);
for (const each of probes) await probe(each);
if (process.argv.includes('slow')) {
  const head = `POST /graphql HTTP/1.1\r\nHost: ${endpoint.host}\r\n`;
  await slowly('slow heads', `${head}X-Slow: `);
  await slowly(
    'slow bodies',
    `${head}Content-Type: application/json\r\nContent-Length: 10000\r\n\r\n{`,
  );
}
for (const fault of faults) console.error(fault);
console.log(
  faults.length
    ? `${faults.length} faults`
    : 'each was refused, and good requests were answered after it',
);
process.exitCode = faults.length ? 1 : 0;

// Holds what a stranger can hold of the gateway at GATEWAY_URL: answers that nobody reads, bodies that never come, connections
// that are never used, pings without end, questions that are dear to refuse. GATEWAY_PID is its process, whose memory and
// processor time are measured where the system has /proc. Each must leave the gateway's memory within a bound, and a bystander
// answered within another.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  PATIENCE,
  connect,
  connectHttp2,
  connectWebSocketHttp2,
  frame,
  hear,
  isWhole,
  message,
  openWebSocket,
  post,
  postHttp2,
} from './wire.mjs';

const { GATEWAY_URL, GATEWAY_PID } = process.env;

/** What the gateway may take beyond what it had, in MB: what answers may hold, and as much for making them. */
const ANSWERS = 512;
/** The same where nothing large is asked for. */
const LITTLE = 120;
/** The same for each of so many connections that are kept, in kB: twice of what the gateway's own defaults count on. */
const CONNECTION = 64;
/** More connections than the gateway takes by default. */
const TOO_MANY = 10_200;
/** What it may cost to refuse a question, in ms of a processor. An unoptimized build takes some for reading it. */
const DEAR = 100;
/** How many times as dear the last of many questions may be as the first. */
const GROWTH = 3;

/** Asks for an answer of megabytes, most of which are its own long names; kept by its hash, since it is long itself. */
const names = Array.from({ length: 48 }, (_, n) => `${'long'.repeat(40)}${n}`);
const document = `{ logs(take: 100) { nodes { ${names.map((name) => `${name}: details`).join(' ')} } } }`;
const sha256Hash = createHash('sha256').update(document).digest('hex');
const extensions = { persistedQuery: { version: 1, sha256Hash } };
const LARGE = JSON.stringify({ extensions });

/** Writes `parts` for as long as the gateway takes them, and for so many ms at the most. */
async function flood(socket, part, ms) {
  const end = performance.now() + ms;
  for (let count = 0; performance.now() < end && !socket.isClosed; count += 1) {
    const isTaken = new Promise((resolve) => socket.write(part(count), resolve));
    await Promise.race([isTaken, sleep(100)]);
  }
}

const many = (count, make) => Promise.all(Array.from({ length: count }, (_, n) => make(n)));

async function pings() {
  const socket = await openWebSocket();
  const ping = Buffer.concat(Array.from({ length: 1_000 }, () => message(9, 'x'.repeat(125))));
  await flood(socket, () => ping, 3_000);
  return [socket];
}

/** An operation, and its end before it can be answered. */
function startedAndCancelled() {
  const operation = { type: 'subscribe', id: 'a', payload: { query: '{ users { total } }' } };
  const both = [operation, { type: 'complete', id: 'a' }].map((said) => message(1, JSON.stringify(said)));
  return Buffer.concat(both);
}

async function cancelledOperations() {
  const socket = await openWebSocket();
  socket.write(message(1, '{"type":"connection_init"}'));
  const hundred = Buffer.concat(Array(100).fill(startedAndCancelled()));
  await flood(socket, () => hundred, 4_000);
  return [socket];
}

async function unreadStreams() {
  const sockets = await many(3, async () => {
    const socket = await connectHttp2(0);
    for (let stream = 1; stream < 200; stream += 2) {
      socket.write(postHttp2(stream));
      socket.write(frame(0, 1, stream, Buffer.from(LARGE)));
    }
    return socket;
  });
  // A byte of window now and then.
  for (let count = 0; count < 4; count += 1) {
    await sleep(5_000);
    for (const socket of sockets) {
      for (let stream = 1; stream < 200; stream += 2)
        if (!socket.isClosed) socket.write(frame(8, 0, stream, Buffer.from([0, 0, 0, 1])));
    }
  }
  return sockets;
}

async function unreadWebSocketStreams() {
  const operations = Array.from({ length: 20 }, (_, n) => ({ type: 'subscribe', id: `${n}`, payload: { extensions } }));
  const messages = [{ type: 'connection_init' }, ...operations].map((said) => message(1, JSON.stringify(said)));
  const sockets = await many(3, async () => {
    const socket = await connectHttp2(0);
    for (let stream = 1; stream < 100; stream += 2) {
      socket.write(connectWebSocketHttp2(stream));
      socket.write(frame(0, 0, stream, Buffer.concat(messages)));
    }
    return socket;
  });
  await sleep(10_000);
  return sockets;
}

async function unreadAnswers() {
  const sockets = await many(400, connect);
  for (const socket of sockets) socket.write(post(LARGE).repeat(4));
  await sleep(20_000);
  return sockets;
}

/** WebSockets on streams of HTTP/2, each with as much of `said` as fits into its stream's window. */
async function floodWebSocketStreams(said) {
  const whole = Math.floor(48_000 / said.length);
  const sockets = await many(50, async () => {
    const socket = await connectHttp2(0);
    for (let stream = 1; stream < 10; stream += 2) {
      socket.write(connectWebSocketHttp2(stream));
      socket.write(frame(0, 0, stream, message(1, '{"type":"connection_init"}')));
      // No frame is longer than 16 KiB.
      for (let part = 0; part < 3; part += 1) {
        socket.write(frame(0, 0, stream, Buffer.concat(Array(Math.floor(whole / 3)).fill(said))));
      }
    }
    return socket;
  });
  await sleep(3_000);
  return sockets;
}

const pingsOnStreams = () => floodWebSocketStreams(message(9, 'x'.repeat(125)));

const cancelledOperationsOnStreams = () => floodWebSocketStreams(startedAndCancelled());

async function bodiesThatNeverCome() {
  const sockets = await many(50, () => connectHttp2(65_535));
  for (const socket of sockets) {
    for (let stream = 1; stream < 100; stream += 2) socket.write(postHttp2(stream));
  }
  await sleep(5_000);
  return sockets;
}

/** More connections than there may be, a few hundred at a time: others wait with the system. */
async function connectTooMany(make) {
  const sockets = [];
  while (sockets.length < TOO_MANY) sockets.push(...(await many(300, make)));
  return sockets;
}

async function idleConnections() {
  const sockets = await connectTooMany(connect);
  await sleep(5_000);
  return sockets;
}

/** Connections that would be idle but for their pings. */
async function pingingConnections() {
  const sockets = await connectTooMany(() => connectHttp2(65_535));
  const ping = frame(6, 0, 0, Buffer.from('are you?'));
  for (let count = 0; count < 5; count += 1) {
    for (const socket of sockets) if (!socket.isClosed) socket.write(ping);
    await sleep(1_000);
  }
  return sockets;
}

/** Connections that ask the same thing at once, each of which is answered. */
async function aThousandAtOnce() {
  const sockets = await many(1_000, connect);
  const question = post('{"query":"{ users(perPage: 3, sort: { field: NAME }) { nodes { userId } } }"}');
  const answers = sockets.map((socket) => hear(socket, isWhole));
  for (const socket of sockets) socket.write(question);
  const isRight = (answer) => answer.startsWith('HTTP/1.1 200 ') && answer.includes('"userId"');
  const wrong = (await Promise.all(answers)).filter((answer) => !isRight(answer));
  if (wrong.length)
    faults.push(`a thousand at once: ${wrong.length} were told ${wrong[0].split('\r\n')[0] || 'nothing'}`);
  return sockets;
}

/** Asks `count` questions, one after the other on a connection; what each costs on the average, in ms of a processor. */
async function ask(socket, count, question) {
  const start = processorTime();
  for (let asked = 0; asked < count; asked += 1) {
    const answered = hear(socket, isWhole);
    socket.write(post(question(asked)));
    const answer = await answered;
    if (!answer.startsWith('HTTP/1.1 200 ')) throw new Error(`the gateway said ${answer || 'nothing'}`);
  }
  return (processorTime() - start) / count;
}

/** Searches that are beyond their limit: of a search that is not made nothing is read. */
async function searchesBeyondTheirLimit() {
  const aliases = Array.from({ length: 50 }, (_, n) => `a${n}: users(q: $q) { page }`);
  const sockets = await many(2, connect);
  for (const length of [4_097, 16_000, 31_900]) {
    for (const piece of ['?', '(', 'name:', 'a b:"']) {
      const q = piece.repeat(length / piece.length);
      const question = JSON.stringify({ query: `query($q: String) { ${aliases.join(' ')} }`, variables: { q } });
      const costs = await Promise.all(sockets.map((socket) => ask(socket, 10, () => question)));
      const cost = Math.max(...costs) / sockets.length;
      if (cost > DEAR) faults.push(`50 searches for ${length} bytes of ${piece} cost ${cost.toFixed(0)} ms of a processor`);
    }
  }
  return sockets;
}

/** Questions of which none is like the other to whoever compares the values of their variables. */
async function valuesOfTheirOwn() {
  const socket = await connect();
  for (const [name, query, value] of [
    ['not declared', '{ __typename }', (k) => [k]],
    [
      'declared',
      'query($x: UserFilter) { __typename users(filter: $x) @skip(if: true) { page } }',
      (k) => ({ loginsCount: { eq: k } }),
    ],
  ]) {
    const question = (k) => JSON.stringify({ query, variables: { x: value(k) } });
    const first = await ask(socket, 500, question);
    await ask(socket, 3_000, (k) => question(500 + k));
    const last = await ask(socket, 500, (k) => question(3_500 + k));
    if (last > GROWTH * first)
      faults.push(`a variable that is ${name}: ${first.toFixed(2)} ms a request grew to ${last.toFixed(2)}`);
  }
  return [socket];
}

/** The gateway's memory, in MB. */
function memory() {
  if (!GATEWAY_PID) return undefined;
  try {
    const status = readFileSync(`/proc/${GATEWAY_PID}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+)/.exec(status)[1]) / 1_024;
  } catch {
    return undefined;
  }
}

/** The gateway's processor time, in ms. */
function processorTime() {
  if (!GATEWAY_PID) return 0;
  try {
    const ticks = readFileSync(`/proc/${GATEWAY_PID}/stat`, 'utf8').split(') ').pop().split(' ').slice(11, 13);
    // A hundred ticks a second, wherever Linux runs.
    return 10 * (Number(ticks[0]) + Number(ticks[1]));
  } catch {
    return 0;
  }
}

/** What a bystander is answered on a connection of its own, and after how many ms. */
async function bystander() {
  const start = performance.now();
  const socket = await connect();
  socket.write(post('{"query":"{ gateway { version } }"}'));
  const said = await hear(socket, isWhole);
  socket.destroy();
  return { ms: performance.now() - start, status: said.split('\r\n')[0] || 'nothing' };
}

const faults = [];

const before = memory();

async function measure(name, attack, most) {
  let isOver = false;
  let peak = 0;
  let worst = 0;
  const statuses = new Map();
  const watching = (async () => {
    while (!isOver) {
      const { ms, status } = await bystander();
      worst = Math.max(worst, ms);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      await sleep(100);
    }
  })();
  const measuring = (async () => {
    while (!isOver) {
      peak = Math.max(peak, memory() ?? 0);
      await sleep(20);
    }
  })();
  const sockets = await attack();
  isOver = true;
  await Promise.all([watching, measuring]);
  const ended = sockets.filter((socket) => socket.isClosed).length;
  for (const socket of sockets) socket.destroy();
  const grown = before === undefined ? undefined : Math.max(0, peak - before);
  const answers = [...statuses].map(([status, count]) => `${count} ${status}`).join(', ');
  console.log(
    `${name.padEnd(24)}${grown === undefined ? '' : `${grown.toFixed(0).padStart(6)} MB more`}, ` +
      `a bystander waited ${worst.toFixed(0)} ms at the most (${answers}), ${ended} of ${sockets.length} connections were ended`,
  );
  if (grown > most) faults.push(`${name}: ${grown.toFixed(0)} MB, where ${most} are the most`);
  if (worst > PATIENCE) faults.push(`${name}: a bystander waited ${worst.toFixed(0)} ms`);
  if ([...statuses.keys()].some((status) => !status.startsWith('HTTP/1.1 200')))
    faults.push(`${name}: a bystander was told ${answers}`);
  // What was held is free again.
  await sleep(1_500);
}

const kept = await fetch(new URL('/graphql', GATEWAY_URL), {
  method: 'POST',
  headers: { 'content-type': 'application/json', 'accept-encoding': 'identity' },
  body: JSON.stringify({ query: document, extensions }),
});
console.log(`a large answer has ${((await kept.text()).length / 1e6).toFixed(1)} MB`);
await measure('pings', pings, LITTLE);
await measure('cancelled operations', cancelledOperations, LITTLE);
await measure('pings on streams', pingsOnStreams, LITTLE);
await measure('cancelled on streams', cancelledOperationsOnStreams, LITTLE);
await measure('bodies that never come', bodiesThatNeverCome, LITTLE);
await measure('searches too long', searchesBeyondTheirLimit, LITTLE);
await measure('values of their own', valuesOfTheirOwn, LITTLE);
await measure('a thousand at once', aThousandAtOnce, (CONNECTION * 1_000) / 1_024 + LITTLE);
await measure('idle connections', idleConnections, (CONNECTION * TOO_MANY) / 1_024);
await measure('pinging connections', pingingConnections, (CONNECTION * TOO_MANY) / 1_024);
await measure('unread answers', unreadAnswers, ANSWERS);
await measure('unread streams', unreadStreams, ANSWERS);
await measure('unread WebSocket streams', unreadWebSocketStreams, ANSWERS);
for (const fault of faults) console.error(fault);
process.exitCode = faults.length ? 1 : 0;

// Holds what a stranger can hold of the gateway at GATEWAY_URL: answers that nobody reads, bodies that never come, connections
// that are never used, pings without end. GATEWAY_PID is its process, whose memory is measured where the system has /proc. Each
// must leave the gateway's memory within a bound, and a bystander answered within another.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const { GATEWAY_URL, GATEWAY_PID } = process.env;
if (!URL.canParse(GATEWAY_URL)) {
  console.error(
    'GATEWAY_URL is not set to a URL: give that of a running gateway, like http://127.0.0.1:3000',
  );
  process.exit(64);
}
const { hostname, port, host } = new URL(GATEWAY_URL);

/** What the gateway may take beyond what it had, in MB: what answers may hold, and as much for making them. */
const ANSWERS = 512;
/** The same where nothing large is asked for. */
const LITTLE = 120;
/** How long a bystander may wait, in ms. An unoptimized build makes the large answers of a flood on the same processors. */
const PATIENCE = 5_000;

const POST = `POST /graphql HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n`;
/** Asks for an answer of megabytes, most of which are its own long names; kept by its hash, since it is long itself. */
const names = Array.from({ length: 48 }, (_, n) => `${'long'.repeat(40)}${n}`);
const document = `{ logs(take: 100) { nodes { ${names.map((name) => `${name}: details`).join(' ')} } } }`;
const sha256Hash = createHash('sha256').update(document).digest('hex');
const extensions = { persistedQuery: { version: 1, sha256Hash } };
const LARGE = JSON.stringify({ extensions });

/** A connection that reads nothing, unless it is told to. */
function connect() {
  return new Promise((resolve) => {
    const socket = net.connect(port || 80, hostname);
    socket.on('connect', () => resolve(socket));
    socket.on('error', () => {});
    socket.on('close', () => {
      socket.isClosed = true;
      resolve(socket);
    });
    socket.pause();
  });
}

const post = (body) => `${POST}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

/** A frame of HTTP/2. */
function frame(kind, flags, stream, payload) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(kind, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A connection of HTTP/2 whose window for answers is `window`. */
async function connectHttp2(window) {
  const socket = await connect();
  const settings = Buffer.alloc(6);
  settings.writeUInt16BE(4, 0);
  settings.writeUInt32BE(window, 2);
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame(4, 0, 0, settings));
  return socket;
}

/** The head of a POST of GraphQL, on a stream. */
function postHttp2(stream) {
  const text = (string) => Buffer.concat([Buffer.from([string.length]), Buffer.from(string)]);
  const fields = Buffer.concat([
    Buffer.from([0x83, 0x86, 0x04]),
    text('/graphql'),
    Buffer.from([0x01]),
    text(host),
    Buffer.from([0x0f, 0x10]),
    text('application/json'),
  ]);
  return frame(1, 4, stream, fields);
}

/** The head of a WebSocket, on a stream (RFC 8441). */
function connectWebSocketHttp2(stream) {
  const fields = {
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'http',
    ':path': '/graphql',
    ':authority': host,
    'sec-websocket-version': '13',
    'sec-websocket-protocol': 'graphql-transport-ws',
  };
  const text = (string) => Buffer.concat([Buffer.from([string.length]), Buffer.from(string)]);
  const literals = Object.entries(fields).map(([name, value]) => [Buffer.from([0]), text(name), text(value)]);
  return frame(1, 4, stream, Buffer.concat(literals.flat()));
}

/** A frame of a WebSocket, with a mask of zeros. */
function message(opcode, text) {
  const length = Buffer.byteLength(text);
  const head = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head, 0, 0, 0, 0]), Buffer.from(text)]);
}

async function openWebSocket() {
  const socket = await connect();
  socket.write(
    `GET /graphql HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n',
  );
  await sleep(200);
  return socket;
}

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

async function cancelledOperations() {
  const socket = await openWebSocket();
  socket.write(message(1, '{"type":"connection_init"}'));
  const operation = { type: 'subscribe', id: 'a', payload: { query: '{ users { total } }' } };
  const both = [operation, { type: 'complete', id: 'a' }].map((said) => message(1, JSON.stringify(said)));
  const hundred = Buffer.concat(Array.from({ length: 100 }, () => both).flat());
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

async function bodiesThatNeverCome() {
  const sockets = await many(50, () => connectHttp2(65_535));
  for (const socket of sockets) {
    for (let stream = 1; stream < 100; stream += 2) socket.write(postHttp2(stream));
  }
  await sleep(5_000);
  return sockets;
}

async function idleConnections() {
  const sockets = await many(2_000, connect);
  await sleep(5_000);
  return sockets;
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

/** What a bystander is answered on a connection of its own, and after how many ms. */
async function bystander() {
  const start = performance.now();
  const socket = await connect();
  const said = await new Promise((resolve) => {
    let text = '';
    socket.on('data', (data) => {
      text += data;
      if (text.includes('}}')) resolve(text);
    });
    socket.on('close', () => resolve(text));
    setTimeout(() => resolve(text), 2 * PATIENCE).unref();
    socket.resume();
    socket.write(post('{"query":"{ gateway { version } }"}'));
  });
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
await measure('bodies that never come', bodiesThatNeverCome, LITTLE);
await measure('idle connections', idleConnections, LITTLE);
await measure('unread answers', unreadAnswers, ANSWERS);
await measure('unread streams', unreadStreams, ANSWERS);
await measure('unread WebSocket streams', unreadWebSocketStreams, ANSWERS);
for (const fault of faults) console.error(fault);
process.exitCode = faults.length ? 1 : 0;

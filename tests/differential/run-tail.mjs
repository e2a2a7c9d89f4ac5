// Random subscriptions to the logs behind one, over a WebSocket: which logs come, in which order, and what each answer holds.
// node run-tail.mjs [COUNT [SEED]]
import { readFileSync } from 'node:fs';
import WebSocket from 'ws';
import { Rng } from './lib/rng.mjs';
import { Generator, requestOf } from './lib/generate.mjs';
import { PORT, bodyOf, read, snapshot } from './lib/gateway.mjs';
import { buildOracle } from './lib/oracle.mjs';
import { compare } from './lib/compare.mjs';
import { known } from './lib/known.mjs';
import { stringify } from './lib/json.mjs';
import { LOGS } from './lib/tenant.mjs';

const count = Number(process.argv[2] ?? 1000);
const seed = Number(process.argv[3] ?? 1);
/** Milliseconds after which a stream that brings no more is one that has broken off. */
const PATIENCE = 20_000;
const sdl = readFileSync(process.env.SDL ?? 'schema.graphql', 'utf8');
const oracle = buildOracle(sdl, await snapshot());
const tally = { streams: 0, events: 0, agreed: 0, refused: 0, known: 0 };
const found = [];

const socket = new WebSocket(`ws://127.0.0.1:${PORT}/graphql`, 'graphql-transport-ws');
const streams = new Map();
await new Promise((resolve, reject) => {
  socket.once('error', reject);
  socket.once('open', () => socket.send(JSON.stringify({ type: 'connection_init', payload: process.env.API_KEY ? { 'x-api-key': process.env.API_KEY } : {} })));
  socket.on('message', (data) => {
    const text = data.toString('utf8');
    const message = JSON.parse(text);
    if (message.type === 'connection_ack') resolve();
    else if (message.type === 'ping') socket.send('{"type":"pong"}');
    else streams.get(message.id)?.(message.type, text.slice(text.indexOf('"payload":') + 10, -1));
  });
  socket.on('close', (code, reason) => {
    console.log(`closed: ${code} ${reason}`);
    process.exit(1);
  });
});

/** What a subscription brings up to the last log of all: `{ events }`, or `{ refused }`. */
const follow = (id, request) =>
  new Promise((resolve) => {
    const events = [];
    const end = (result) => {
      clearTimeout(timer);
      streams.delete(id);
      resolve(result);
    };
    const timer = setTimeout(() => end({ events, stalled: true }), PATIENCE);
    streams.set(id, (type, payload) => {
      if (type === 'error') return end({ refused: payload });
      if (type === 'complete') return end(events.length === 1 && events[0].refused ? { refused: events[0].messages.join() } : { events });
      const event = read({ status: 200, text: payload });
      events.push(event);
      if (event.data?.entries[0]?.[1]?.get?.('last') === LOGS.at(-1).id) {
        socket.send(JSON.stringify({ id, type: 'complete' }));
        end({ events });
      }
      return undefined;
    });
    socket.send(`{"id":${JSON.stringify(id)},"type":"subscribe","payload":${bodyOf(request)}}`);
  });

async function judge(number) {
  const rng = new Rng(seed * 7000003 + number);
  const request = requestOf(new Generator(rng).tail(), rng);
  const expected = oracle.tail(request);
  const got = await follow(`tail ${number}`, request);
  tally.streams++;
  const tell = (why) => found.push({ number, why, request });
  if (expected.refused && got.refused) {
    tally.refused++;
    return;
  }
  if (expected.refused || got.refused) return void tell(`got ${got.refused ?? 'events'}, expected ${expected.refused ? `${expected.refused}: ${expected.messages}` : 'events'}`);
  const ids = ({ events }) => events.map((event) => event.id ?? event.data?.entries[0]?.[1]?.get?.('last') ?? null).join(' ');
  if (got.stalled || ids(got) !== ids(expected)) return void tell(`${got.stalled ? 'broke off: ' : ''}got ${ids(got)}, expected ${ids(expected)}`);
  for (const [index, event] of got.events.entries()) {
    tally.events++;
    const verdict = compare(event, expected.events[index]);
    if (!verdict) tally.agreed++;
    else if (known(verdict, request)) tally.known++;
    else return void tell(`event ${index}: ${verdict.kind} ${verdict.why}: ${stringify(event.data).slice(0, 300)}`);
  }
}

let next = 0;
const worker = async () => {
  while (next < count) await judge(next++);
};
const start = Date.now();
await Promise.all(Array.from({ length: 8 }, worker));
console.log(`subscriptions: ${count} (seed ${seed}) in ${((Date.now() - start) / 1000).toFixed(1)} s`, tally, 'disagreements:', found.length);
for (const { number, why, request } of found.slice(0, Number(process.env.SHOW ?? 5))) console.log('\n---', number, why.slice(0, 600), '\n', request.query.slice(0, 700), '\n', request.variablesText);
process.exit(found.length > 0 ? 1 : 0);

// Connections to the gateway at GATEWAY_URL, byte by byte: client libraries do nothing wrong.

import net from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

const { GATEWAY_URL } = process.env;
if (!URL.canParse(GATEWAY_URL)) {
  console.error(
    'GATEWAY_URL is not set to a URL: give that of a running gateway, like http://127.0.0.1:3000',
  );
  process.exit(64);
}
const { hostname, port, host } = new URL(GATEWAY_URL);

/** How long a bystander may wait, in ms. An unoptimized build makes the large answers of a flood on the same processors. */
export const PATIENCE = 5_000;

const POST = `POST /graphql HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\n`;
/** A connection that reads nothing, unless it is told to. */
export function connect() {
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

export const post = (body) => `${POST}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;

/** A frame of HTTP/2. */
export function frame(kind, flags, stream, payload) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(kind, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A connection of HTTP/2 whose window for answers is `window`. */
export async function connectHttp2(window) {
  const socket = await connect();
  const settings = Buffer.alloc(6);
  settings.writeUInt16BE(4, 0);
  settings.writeUInt32BE(window, 2);
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame(4, 0, 0, settings));
  return socket;
}

/** The head of a POST of GraphQL, on a stream. */
export function postHttp2(stream) {
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
export function connectWebSocketHttp2(stream) {
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
export function message(opcode, text) {
  const length = Buffer.byteLength(text);
  const head = length < 126 ? [0x80 | length] : [0x80 | 126, length >> 8, length & 255];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head, 0, 0, 0, 0]), Buffer.from(text)]);
}

export async function openWebSocket() {
  const socket = await connect();
  socket.write(
    `GET /graphql HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: graphql-transport-ws\r\n\r\n',
  );
  await sleep(200);
  return socket;
}

/** What is said on a connection until it `isHeard`, the connection closes or patience ends. */
export function hear(socket, isHeard) {
  return new Promise((resolve) => {
    let text = '';
    const end = () => {
      clearTimeout(patience);
      socket.off('data', onData);
      socket.off('close', end);
      resolve(text);
    };
    const onData = (data) => {
      text += data;
      if (isHeard(text)) end();
    };
    const patience = setTimeout(end, 2 * PATIENCE);
    socket.on('data', onData);
    socket.on('close', end);
    socket.resume();
  });
}

/** Whether a response with a known length has come. */
export function isWhole(text) {
  const [head, body] = text.split('\r\n\r\n');
  return body !== undefined && Buffer.byteLength(body) >= Number(/content-length: (\d+)/i.exec(head)?.[1]);
}

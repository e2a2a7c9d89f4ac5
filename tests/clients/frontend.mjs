// The example front end, built and served by Vite, in a real browser. Its packages must be installed.

import { execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { endpoint } from './gateway.mjs';

const executablePath = process.env.CHROMIUM || '/usr/bin/chromium';

/** The reason to skip the tests, if there is one. */
export const skip =
  !existsSync(executablePath) &&
  `no browser at ${executablePath}: install Debian's chromium, or name one in CHROMIUM`;

const cwd = fileURLToPath(new URL('../../examples/frontend/', import.meta.url));

/** Builds the front end, and serves it in front of the gateway. */
export async function serve() {
  execFileSync('npm', ['run', 'build'], { cwd });
  const line = await openLine();
  const server = spawn('node_modules/.bin/vite', ['preview', '--host', '127.0.0.1', '--port', '0'], {
    cwd,
    env: { ...process.env, NO_COLOR: '1', GATEWAY_URL: line.url },
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const url = await listening(server);
  const browser = await chromium.launch({
    executablePath,
    args: ['--headless', '--no-sandbox', '--disable-gpu', '--no-first-run', '--disable-background-networking'],
  });
  const stop = async () => {
    await browser.close();
    server.kill('SIGTERM');
    await line.cut();
  };
  return { url, browser, line, stop };
}

async function listening(server) {
  for await (const line of createInterface({ input: server.stdout })) {
    const url = /Local: +(http:\S+)/.exec(line)?.[1];
    if (url) {
      server.stdout.resume();
      return url;
    }
  }
  throw new Error('the server of the front end ended before it listened');
}

/** A line to the gateway that can be cut and mended: what a restart is to its clients. */
async function openLine() {
  const { hostname, port } = new URL(endpoint());
  const sockets = new Set();
  const server = createServer((near) => {
    const far = connect(port, hostname);
    near.pipe(far).pipe(near);
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.on('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
  });
  const listen = (port) => new Promise((resolve) => server.listen(port, '127.0.0.1', resolve));
  await listen(0);
  const at = server.address().port;
  const cut = () =>
    new Promise((resolve) => {
      server.close(resolve);
      for (const socket of sockets) socket.destroy();
    });
  return { url: `http://127.0.0.1:${at}`, cut, mend: () => listen(at) };
}

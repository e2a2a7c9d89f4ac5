// The program as a subgraph, in front of the sandbox.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const program = process.env.GATEWAY ?? fail();

function fail() {
  console.error('GATEWAY is not set: give the path of a built gateway, like target/debug/auth0-graphql');
  process.exit(64);
}

/** Starts the program as a subgraph. Gives its endpoint, and what stops it. */
export async function startSubgraph() {
  // From an empty folder and a bare environment, so that nobody's settings have a say.
  const folder = await mkdtemp(join(tmpdir(), 'subgraph-'));
  const child = spawn(
    resolve(program),
    ['serve', '--sandbox', '--host', '127.0.0.1', '--port', '0', '--federation', 'on', '--cache-ttl', '0s'],
    { cwd: folder, env: { PATH: process.env.PATH }, stdio: ['ignore', 'pipe', 'pipe'] },
  );
  const exited = once(child, 'exit');
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => (log += text));
  let banner = '';
  let url;
  for await (const text of child.stdout.setEncoding('utf8').iterator({ destroyOnReturn: false })) {
    banner += text;
    url = /^ *GraphQL +(http:\S+)$/m.exec(banner)?.[1];
    if (url) break;
  }
  if (!url) throw new Error(`the program ended before it listened:\n${banner}${log}`);
  child.stdout.resume();

  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true });
    },
  };
}

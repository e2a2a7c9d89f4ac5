// The program as a process of a test, in front of the sandbox.

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

/** Starts the program with these flags beside those of the sandbox. Gives its endpoint, and what stops it. */
export async function startProgram(...flags) {
  // From an empty folder and a bare environment, so that nobody's settings have a say.
  const folder = await mkdtemp(join(tmpdir(), 'gateway-'));
  const child = spawn(resolve(program), ['serve', '--sandbox', '--host', '127.0.0.1', '--port', '0', ...flags], {
    cwd: folder,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const exited = once(child, 'exit');
  // A test that fails may never come to stop it.
  process.once('exit', () => child.kill());
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

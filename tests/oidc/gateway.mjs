// A gateway of its own for each test, in front of the sandbox, which takes the tokens of an issuer.

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

/** Starts a gateway that takes the tokens that `issuer` issues for `audience`. */
export async function startGateway(issuer, audience) {
  // From an empty folder and a bare environment, so that nobody's settings have a say.
  const folder = await mkdtemp(join(tmpdir(), 'gateway-'));
  const child = spawn(
    resolve(program),
    ['serve', '--sandbox', '--host', '127.0.0.1', '--port', '0', '--jwt-issuer', issuer, '--jwt-audience', audience],
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
  if (!url) throw new Error(`the gateway ended before it listened:\n${banner}${log}`);
  child.stdout.resume();

  return {
    /** The answer to a document that is sent with a token. */
    async ask(token, query = '{ users(perPage: 1) { nodes { userId } } }') {
      const response = await fetch(url, {
        method: 'POST',
        headers: {
          accept: 'application/graphql-response+json',
          'content-type': 'application/json',
          ...(token && { authorization: `Bearer ${token}` }),
        },
        body: JSON.stringify({ query }),
      });
      const { status, headers } = response;
      const { data, errors = [] } = await response.json();
      return { status, headers, data, codes: errors.map(({ extensions }) => extensions.code), errors };
    },

    async stop() {
      child.kill('SIGTERM');
      await exited;
      await rm(folder, { recursive: true });
    },
  };
}

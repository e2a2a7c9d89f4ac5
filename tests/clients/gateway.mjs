import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** The GraphQL endpoint of the gateway at GATEWAY_URL. It must serve the sandbox. */
export function endpoint() {
  const gateway = process.env.GATEWAY_URL;
  if (!URL.canParse(gateway)) {
    console.error('GATEWAY_URL is not set to a URL: give that of a running gateway, like http://127.0.0.1:3000');
    process.exit(64);
  }
  return new URL('/graphql', gateway).href;
}

/** Asks the gateway, and gives the data. */
export async function ask(query, variables) {
  const response = await fetch(endpoint(), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined);
  return data;
}

/** Tells the sandbox behind the gateway, at SANDBOX_URL, what to do. */
export async function control(path, body = {}) {
  if (!process.env.SANDBOX_URL) throw new Error("SANDBOX_URL is not set: give the URL that the gateway's banner has");
  const response = await fetch(new URL(`/_sandbox/${path}`, process.env.SANDBOX_URL), {
    method: 'POST',
    body: JSON.stringify(body),
  });
  assert.ok(response.ok, `${response.status} for ${path}`);
  const text = await response.text();
  return text && JSON.parse(text);
}

/** Starts the program that GATEWAY names so that it runs the documents of a manifest and no
 * others, and gives its endpoint and what stops it. */
export async function serveOnly(manifest) {
  if (!process.env.GATEWAY) throw new Error('GATEWAY is not set: give the path of the built program');
  // From an empty folder, so that nobody's .env has a say.
  const cwd = await mkdtemp(join(tmpdir(), 'trusted-'));
  const documents = ['--trusted-documents', manifest, '--trusted-documents-mode', 'only'];
  const gateway = spawn(
    process.env.GATEWAY,
    ['serve', '--sandbox', '--host', '127.0.0.1', '--port', '0', ...documents],
    { cwd, stdio: ['ignore', 'pipe', 'ignore'] },
  );
  const ended = new Promise((resolve) => gateway.once('close', resolve));
  // A test that fails may never come to stop it.
  process.once('exit', () => gateway.kill());
  const stop = async () => {
    gateway.kill('SIGTERM');
    await ended;
    await rm(cwd, { recursive: true });
  };
  const started = (async () => {
    for await (const line of createInterface({ input: gateway.stdout })) {
      const url = /GraphQL +(http:\S+)/.exec(line)?.[1];
      if (url) return url;
    }
    throw new Error('the gateway ended before it listened');
  })();
  try {
    const url = await started;
    gateway.stdout.resume();
    return { url, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A `fetch` that keeps what was asked with it: the method, and GraphQL's parameters. */
export function recordingFetch() {
  const requests = [];
  const fetch = (input, init = {}) => {
    const { searchParams } = new URL(input);
    const parameters = init.body
      ? JSON.parse(init.body)
      : Object.fromEntries([...searchParams].filter(([, value]) => value !== ''));
    requests.push({ method: init.method ?? 'GET', parameters });
    return globalThis.fetch(input, init);
  };
  return { fetch, requests };
}

/** A name that no operation has had before, so that no cache knows the operation. */
export const freshName = () => `People_${crypto.randomUUID().replaceAll('-', '')}`;

export const ADA = 'ada.brandt@example.com';

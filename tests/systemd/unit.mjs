// Does with the gateway GATEWAY (a file) as ops/auth0-graphql.service and docs/operations.md say: credentials, wrong settings, renewed
// certificates. Needs openssl; systemd itself is not asked.

import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const gateway = resolve(process.env.GATEWAY ?? 'target/debug/auth0-graphql');
const root = resolve(import.meta.dirname, '../..');
const read = (path) => readFileSync(join(root, path), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'systemd-'));

const unit = read('ops/auth0-graphql.service');
/** The values of a directive in the unit. */
const directive = (name) => [...unit.matchAll(new RegExp(`^${name}=(.*)$`, 'gm'))].map(([, value]) => value);

/** Runs the unit's command with these settings, and those of the unit. */
function serve(settings, ...flags) {
  const [program, ...args] = directive('ExecStart')[0].split(' ');
  assert.equal(program, '/usr/bin/auth0-graphql');
  const own = Object.fromEntries(directive('Environment').map((value) => value.split(/=(.*)/s)));
  const env = { PATH: process.env.PATH, ...own, ...settings };
  return spawnSync(gateway, [...args, ...flags], { cwd: folder, env, encoding: 'utf8' });
}

function accepts(settings) {
  const { status, stderr } = serve({ AUTH0_DOMAIN: 'example.us.auth0.com', AUTH0_CLIENT_ID: 'id', ...settings }, '--check');
  assert.equal(status, 0, `${Object.keys(settings)}: ${stderr}`);
}

function write(name, text) {
  writeFileSync(join(folder, name), text, { mode: 0o600 });
  return join(folder, name);
}

try {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const secret = 'a-secret-of-no-tenant-that-is-as-long-as-those-of-auth0';
  accepts({ AUTH0_CLIENT_SECRET: secret });
  accepts({ AUTH0_CLIENT_SECRET_FILE: write('client-secret', secret) });
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' });
  accepts({ AUTH0_CLIENT_ASSERTION_KEY_FILE: write('auth0.pem', key) });
  console.log('each kind of credentials can be chosen beside what the unit sets');

  // What runs before the main process would be started again and again: its status prevents nothing.
  assert.deepEqual(directive('ExecStartPre'), []);
  const { status } = serve({});
  assert.ok(directive('RestartPreventExitStatus')[0].split(' ').includes(`${status}`), `wrong settings end with ${status}`);
  console.log(`wrong settings end with ${status}, and the unit stays down`);

  const manual = read('docs/operations.md');
  const hook = [...manual.matchAll(/```sh\n([^`]*)```/g)].map(([, block]) => block).find((block) => block.includes('RENEWED_LINEAGE'));
  const [lineage, bin, etc] = ['lineage', 'bin', 'etc'].map((name) => join(folder, name));
  for (const path of [lineage, bin, etc]) mkdirSync(path, { mode: 0o700 });
  const made = ['-keyout', join(lineage, 'privkey.pem'), '-out', join(lineage, 'fullchain.pem')];
  execFileSync('openssl', ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=localhost', ...made], { stdio: 'pipe' });
  writeFileSync(join(bin, 'systemctl'), `#!/bin/sh\necho "$@" >${folder}/asked\n`);
  chmodSync(join(bin, 'systemctl'), 0o755);
  // The service's folder and group are this test's.
  const script = hook.replaceAll('/etc/auth0-graphql', etc).replaceAll('-g auth0-graphql', `-g ${process.getgid()}`);
  const env = { PATH: `${bin}:${process.env.PATH}`, RENEWED_LINEAGE: lineage };
  execFileSync('sh', ['-c', script], { env });
  const paths = ['TLS_CERT', 'TLS_KEY'].map((name) => [name, new RegExp(`${name}=/etc/auth0-graphql(/[\\w.]+)`).exec(manual)[1]]);
  const tls = Object.fromEntries(paths.map(([name, path]) => [name, etc + path]));
  accepts({ AUTH0_CLIENT_SECRET: secret, ...tls });
  for (const path of Object.values(tls)) assert.equal(statSync(path).mode & 0o777, 0o640, path);
  assert.match(readFileSync(join(folder, 'asked'), 'utf8'), /reload.* auth0-graphql$/m);
  console.log('a renewed certificate is put where the service reads it');
} finally {
  rmSync(folder, { recursive: true });
}

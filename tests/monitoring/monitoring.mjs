// Loads what ops/ has for Prometheus and Grafana into a real Prometheus, beside the gateway GATEWAY (a file) and a sandbox that
// misbehaves: every query of the dashboard finds data, every rule is worked out, every alert is explained in docs/operations.md, and the
// tests of the rules have the buckets that the gateway has.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';

const gateway = resolve(process.env.GATEWAY ?? 'target/debug/auth0-graphql');
const root = resolve(import.meta.dirname, '../..');
const read = (path) => readFileSync(join(root, path), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'monitoring-'));
const processes = [];

/** How long everything together may take until it has data, in ms. */
const PATIENCE = 120_000;

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  return port;
}

function start(command, args, env = {}) {
  const child = spawn(command, args, { cwd: folder, env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
  child.log = '';
  child.stderr.on('data', (data) => (child.log = (child.log + data).slice(-4_000)));
  processes.push(child);
  return child;
}

/** The settings that the sandbox prints for a gateway, those that are commented out too. */
async function sandbox() {
  const child = start(gateway, ['sandbox', '--port', '0', '--chaos']);
  const settings = {};
  for await (const line of createInterface({ input: child.stdout })) {
    const [, name, value] = /^#?([A-Z0-9_]+)=(.*)$/.exec(line) ?? [];
    if (name) settings[name] = value;
    if ('JWT_AUDIENCE' in settings) break;
  }
  child.stdout.resume();
  assert.ok(settings.AUTH0_DOMAIN, `the sandbox does not start: ${child.log}`);
  return settings;
}

async function token(url) {
  const child = start(gateway, ['sandbox', 'token', '--url', url, '--scope', 'read:users read:logs']);
  let text = '';
  for await (const data of child.stdout) text += data;
  return text.trim();
}

/** Traffic that has something of everything: answers, joins, shared calls, and a refusal. */
async function traffic(url, bearer) {
  const ask = (query, headers = {}) =>
    fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${bearer}`, ...headers },
      body: JSON.stringify({ query }),
    }).then((response) => response.text());
  const search = `{ users(q: "name:a${Math.floor(Math.random() * 1e6)}*") { total } }`;
  await Promise.allSettled([
    ask('{ users { total } }'),
    ask('{ logs(take: 50) { nodes { type user { name } } } }'),
    ask(search),
    ask(search),
    ask('{ users { total } }', { origin: 'https://stranger.example' }),
  ]);
}

async function prometheus(target) {
  const config = [
    'global: { scrape_interval: 1s, evaluation_interval: 1s }',
    `rule_files: [${JSON.stringify(join(root, 'ops/prometheus/rules/*.yaml'))}]`,
    'scrape_configs:',
    `  - { job_name: auth0-graphql, static_configs: [{ targets: ["${target}"] }] }`,
  ];
  writeFileSync(join(folder, 'prometheus.yaml'), config.join('\n'));
  const port = await freePort();
  const child = start('prometheus', [
    '--config.file=prometheus.yaml',
    '--storage.tsdb.path=data',
    `--web.listen-address=127.0.0.1:${port}`,
  ]);
  child.stdout.resume();
  const api = async (path, parameters = {}) => {
    const response = await fetch(`http://127.0.0.1:${port}/api/v1/${path}?${new URLSearchParams(parameters)}`);
    const { status, data, error } = await response.json();
    assert.equal(status, 'success', `${error}: ${JSON.stringify(parameters)}`);
    return data;
  };
  for (const end = performance.now() + 30_000; ; await sleep(100)) {
    if (await api('query', { query: '1' }).catch(() => undefined)) return api;
    assert.ok(performance.now() < end && child.exitCode === null, `Prometheus does not start: ${child.log}`);
  }
}

/** A query of the dashboard as Grafana would send it. */
const filled = (query) =>
  query
    .replaceAll('$__rate_interval', '10s')
    .replaceAll('$__range', '1m')
    .replaceAll('$job', 'auth0-graphql')
    .replaceAll('$instance', '.+');

/** The buckets of each histogram in series as Prometheus writes them. */
function buckets(text) {
  const found = {};
  for (const [, name, bound] of text.matchAll(/(auth0_graphql_\w+)_bucket\{[^}]*\ble="([^"]+)"/g)) {
    (found[name] ??= new Set()).add(bound === '+Inf' ? Infinity : Number(bound));
  }
  return found;
}

/** The reasons that the gateway gives for want of room, by its source. */
const wantsOfRoom = () =>
  readdirSync(join(root, 'src/http'), { recursive: true })
    .filter((path) => path.endsWith('.rs'))
    .flatMap((path) => [...read(join('src/http', path)).matchAll(/HttpError::busy\(\s*"(\w+)"/g)])
    .map(([, reason]) => reason);

async function run() {
  const dashboard = JSON.parse(read('ops/grafana/dashboards/auth0-graphql.json'));
  const queries = dashboard.panels.flatMap(({ title, targets = [] }) => targets.map(({ expr }) => ({ title, expr })));
  assert.ok(queries.length > 30, 'the dashboard has panels');
  const shown = queries.map(({ expr }) => expr).join('\n');
  const metrics = [...read('docs/metrics.md').matchAll(/^\| `(auth0_graphql_\w+)` \|/gm)].map(([, name]) => name);
  assert.ok(metrics.length > 20, 'docs/metrics.md has a table');
  const absent = metrics.filter((name) => !shown.includes(name));
  assert.deepEqual(absent, [], 'metrics that the dashboard does not show');

  // A name that stands for one address, or for one of several, would show one gateway where there are more.
  const { service, port: scraped } = /dns_sd_configs:\n *- names: \[(?<service>\w+)\]\n *type: A\n *port: (?<port>\d+)/.exec(
    read('ops/prometheus/prometheus.yaml'),
  ).groups;
  const composed = read('ops/compose.yaml');
  assert.ok(composed.includes(`\n  ${service}:\n`) && composed.includes(`ADMIN_ADDRESS: 0.0.0.0:${scraped}\n`), 'the gateways of compose');

  const settings = await sandbox();
  const [port, adminPort] = [await freePort(), await freePort()];
  const admin = `127.0.0.1:${adminPort}`;
  const env = { ...settings, HOST: '127.0.0.1', PORT: `${port}`, ADMIN_ADDRESS: admin, LOG: 'warn' };
  start(gateway, ['serve'], env).stdout.resume();
  const api = await prometheus(admin);
  const bearer = await token(settings.AUTH0_DOMAIN);

  const hasData = async (query) => (await api('query', { query })).result.some(({ value }) => value[1] !== 'NaN');
  const { groups } = await api('rules');
  const rules = groups.flatMap((group) => group.rules);
  const records = rules.filter(({ type }) => type === 'recording');
  let open = [...queries, ...records.map(({ name }) => ({ title: 'a recording rule', expr: name }))];
  const count = open.length;
  for (const end = performance.now() + PATIENCE; open.length > 0; ) {
    await traffic(`http://127.0.0.1:${port}`, bearer);
    const found = await Promise.all(open.map(({ expr }) => hasData(filled(expr))));
    open = open.filter((_, place) => !found[place]);
    assert.ok(performance.now() < end, `no data for ${JSON.stringify(open, null, 2)}`);
  }
  console.log(`${count} queries of the dashboard and the recording rules find data`);

  const alerts = rules.filter(({ type }) => type === 'alerting');
  const health = (await api('rules')).groups.flatMap((group) => group.rules).filter((rule) => rule.health !== 'ok');
  assert.deepEqual(health, [], 'rules that cannot be worked out');
  const explained = read('docs/operations.md');
  const unexplained = alerts.map(({ name }) => name).filter((name) => !explained.includes(`| \`${name}\` |`));
  assert.deepEqual(unexplained, [], 'alerts without a line in docs/operations.md');
  const tested = read('ops/prometheus/tests/alerts.yaml');
  const fires = ({ name }) => new RegExp(`alertname: ${name}\\n.*\\n *exp_alerts:\\n`).test(tested);
  assert.deepEqual(alerts.filter((alert) => !fires(alert)), [], 'alerts that no test sees firing');
  const scrape = await (await fetch(`http://${admin}/metrics`)).text();
  const own = buckets(scrape);
  for (const [name, bounds] of Object.entries(buckets(tested))) {
    assert.deepEqual([...bounds].filter((bound) => !own[name]?.has(bound)), [], `buckets that ${name} has in tests alone`);
  }
  const [, reasons] = /refusals_total\{reason=~"([\w|]+)"/.exec(alerts.find(({ name }) => name === 'Auth0GraphqlNoRoom').query);
  assert.deepEqual(reasons.split('|').sort(), [...new Set(wantsOfRoom())].sort(), 'reasons of Auth0GraphqlNoRoom');
  console.log(`${alerts.length} alerts are worked out, tested and explained`);
}

try {
  await run();
} finally {
  const alive = processes.filter(({ exitCode }) => exitCode === null);
  await Promise.all(alive.map((child) => (child.kill('SIGTERM'), once(child, 'exit'))));
  rmSync(folder, { recursive: true });
}

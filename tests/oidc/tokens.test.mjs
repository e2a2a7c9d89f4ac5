// The access tokens of a real OpenID provider, shown to a gateway: which are taken, what they
// open, and what happens when the provider's keys change and when it is down.

import assert from 'node:assert/strict';
import { setTimeout as wait } from 'node:timers/promises';
import { test } from 'node:test';
import { startGateway } from './gateway.mjs';
import { startProvider } from './provider.mjs';

const AUDIENCE = 'https://gateway.example.com';

/** A provider and a gateway that takes its tokens, both stopped after the test. */
async function setUp(t, options) {
  const provider = await startProvider(options);
  t.after(() => provider.stop());
  const gateway = await startGateway(provider.issuer, AUDIENCE);
  t.after(() => gateway.stop());
  return { provider, gateway };
}

function assertTaken({ status, data, errors }) {
  assert.equal(status, 200, JSON.stringify(errors));
  assert.match(data.users.nodes[0].userId, /./);
}

function assertRefused({ status, headers, data, codes }) {
  assert.deepEqual([status, data, codes], [401, undefined, ['UNAUTHENTICATED']]);
  assert.match(headers.get('www-authenticate'), /^Bearer .*error="invalid_token"/);
}

for (const alg of ['RS256', 'PS256', 'ES256', 'EdDSA']) {
  test(`a token for the gateway is taken, signed with ${alg}`, async (t) => {
    const { provider, gateway } = await setUp(t, { alg });
    assertTaken(await gateway.ask(await provider.token(AUDIENCE)));
  });
}

test('a token opens what its scopes say, and nothing else', async (t) => {
  const { provider, gateway } = await setUp(t);
  const token = await provider.token(AUDIENCE, 'read:logs');
  const { status, data, codes } = await gateway.ask(token, '{ logs(take: 1) { nodes { logId } } users { page } }');
  assert.equal(status, 200);
  assert.match(data.logs.nodes[0].logId, /./);
  assert.equal(data.users, null);
  assert.deepEqual(codes, ['FORBIDDEN']);
});

test('what is no token for the gateway is refused', async (t) => {
  const { provider, gateway } = await setUp(t);
  const { status, codes } = await gateway.ask(undefined);
  assert.deepEqual([status, codes], [401, ['UNAUTHENTICATED']]);

  for (const audience of ['https://other.example.com', `${AUDIENCE}/`]) {
    assertRefused(await gateway.ask(await provider.token(audience)));
  }
  assertRefused(await gateway.ask(await provider.token('opaque:gateway')));

  const [header, claims, signature] = (await provider.token(AUDIENCE, 'read:logs')).split('.');
  const wider = { ...JSON.parse(Buffer.from(claims, 'base64url')), scope: 'read:users read:logs' };
  const forged = Buffer.from(JSON.stringify(wider)).toString('base64url');
  assertRefused(await gateway.ask(`${header}.${forged}.${signature}`));

  const stranger = await startProvider();
  t.after(() => stranger.stop());
  assertRefused(await gateway.ask(await stranger.token(AUDIENCE)));

  assertTaken(await gateway.ask(await provider.token(AUDIENCE)));
});

test('new keys are taken at once, and withdrawn ones no longer', async (t) => {
  const { provider: before, gateway } = await setUp(t);
  assertTaken(await gateway.ask(await before.token(AUDIENCE)));
  const unseen = await before.token(AUDIENCE);
  await before.stop();

  const after = await startProvider({ alg: 'ES256', port: before.port });
  t.after(() => after.stop());
  assertTaken(await gateway.ask(await after.token(AUDIENCE)));
  assertRefused(await gateway.ask(unseen));
});

test('tokens are taken while the provider is down, if the gateway has its keys', async (t) => {
  const { provider, gateway } = await setUp(t);
  const [first, second] = [await provider.token(AUDIENCE), await provider.token(AUDIENCE)];
  assertTaken(await gateway.ask(first));
  await provider.stop();
  assertTaken(await gateway.ask(first));
  assertTaken(await gateway.ask(second));
});

test('a gateway that began without its provider says when to try again, and then takes the token', async (t) => {
  const before = await startProvider();
  const token = await before.token(AUDIENCE);
  await before.stop();
  const gateway = await startGateway(before.issuer, AUDIENCE);
  t.after(() => gateway.stop());

  const { status, headers, data, codes } = await gateway.ask(token);
  assert.deepEqual([status, data, codes], [503, undefined, ['UPSTREAM_UNAVAILABLE']]);
  const seconds = Number(headers.get('retry-after'));
  assert.ok(seconds >= 1 && seconds <= 10, headers.get('retry-after'));

  const after = await startProvider({ port: before.port, key: before.key });
  t.after(() => after.stop());
  await wait(seconds * 1000);
  assertTaken(await gateway.ask(token));
});

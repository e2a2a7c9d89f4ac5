// A real OpenID provider on loopback: it issues access tokens to a client for itself
// (client credentials), for the API that is asked for (RFC 8707), as JWTs (RFC 9068).

import { generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import Provider from 'oidc-provider';

const SCOPES = 'read:users read:logs';
const client = { client_id: 'front-end', client_secret: randomBytes(24).toString('hex') };

/** How keys of an algorithm are made. */
const KEY_TYPES = {
  RS256: ['rsa', { modulusLength: 2048 }],
  PS256: ['rsa', { modulusLength: 2048 }],
  ES256: ['ec', { namedCurve: 'P-256' }],
  EdDSA: ['ed25519', {}],
};

function newKey(alg) {
  const { privateKey } = generateKeyPairSync(...KEY_TYPES[alg]);
  return { ...privateKey.export({ format: 'jwk' }), kid: randomUUID(), use: 'sig', alg };
}

/**
 * Starts a provider, with a new key and on a port of its own unless others are given. For an
 * API whose name begins with `opaque:` it issues tokens that are no JWTs.
 */
export async function startProvider({ alg = 'RS256', port = 0, key = newKey(alg) } = {}) {
  // The issuer is part of every answer, so the port has to be known before the provider is made.
  let handle;
  const server = createServer((request, response) => handle(request, response));
  await once(server.listen(port, '127.0.0.1'), 'listening');
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const provider = new Provider(issuer, {
    clients: [{ ...client, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
    // It signs its ID tokens with RS256, whether or not it issues any.
    jwks: { keys: alg === 'RS256' ? [key] : [key, newKey('RS256')] },
    ttl: { ClientCredentials: 600 },
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: false },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: (_, resource) => ({
          scope: SCOPES,
          audience: resource,
          ...(resource.startsWith('opaque:')
            ? { accessTokenFormat: 'opaque' }
            : { accessTokenFormat: 'jwt', jwt: { sign: { alg } } }),
        }),
      },
    },
  });
  handle = provider.callback();

  return {
    issuer,
    port: server.address().port,
    key,

    /** An access token for an API. */
    async token(resource, scope = SCOPES) {
      const response = await fetch(`${issuer}/token`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from(`${client.client_id}:${client.client_secret}`).toString('base64')}`,
        },
        body: new URLSearchParams({ grant_type: 'client_credentials', resource, scope }),
      });
      const body = await response.json();
      if (!response.ok) throw new Error(`the provider answered ${response.status}: ${JSON.stringify(body)}`);
      return body.access_token;
    },

    async stop() {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
}

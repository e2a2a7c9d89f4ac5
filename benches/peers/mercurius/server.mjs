// Mercurius on Fastify, compiling queries (JIT) on first use, with undici's pool towards the upstream.

import Fastify from 'fastify';
import mercurius from 'mercurius';
import { Pool } from 'undici';

const { UPSTREAM, PORT } = process.env;
const upstream = new Pool(UPSTREAM, { connections: 256 });

async function get(path, parameters) {
  const query = new URLSearchParams(parameters);
  const { statusCode, body } = await upstream.request({
    path: `/api/v2/${path}?${query}`,
    method: 'GET',
    headers: { authorization: 'Bearer anybody' },
  });
  const answer = await body.json();
  if (statusCode !== 200) {
    throw new Error(`the upstream answered ${statusCode}`);
  }
  return answer;
}

const schema = `
  scalar JSON

  type Query {
    users(q: String, page: Int = 0, perPage: Int = 50): UserPage
    logs(from: ID, take: Int = 50): LogBatch
  }

  type UserPage { nodes: [User!]! }
  type LogBatch { nodes: [Log!]! }

  type User {
    userId: ID
    email: String
    emailVerified: Boolean
    username: String
    phoneNumber: String
    phoneVerified: Boolean
    name: String
    nickname: String
    givenName: String
    familyName: String
    picture: String
    blocked: Boolean
    createdAt: String
    updatedAt: String
    lastLogin: String
    lastIp: String
    loginsCount: Int
    lastPasswordReset: String
    multifactor: [String!]
    multifactorLastModified: String
    appMetadata: JSON
    userMetadata: JSON
    identities: [Identity!]
    blockedFor: JSON
    guardianAuthenticators: JSON
    tenant: String
  }

  type Identity {
    connection: String
    provider: String
    userId: ID
    isSocial: Boolean
    profileData: JSON
  }

  type Log {
    logId: ID
    date: String
    type: String
    description: String
    connection: String
    connectionId: ID
    clientId: ID
    clientName: String
    ip: String
    hostname: String
    userId: ID
    userName: String
    strategy: String
    strategyType: String
    isMobile: Boolean
    details: JSON
  }
`;

const resolvers = {
  Query: {
    users: async (_, { q, page, perPage }) => ({
      nodes: await get('users', { q, search_engine: 'v3', page, per_page: perPage }),
    }),
    logs: async (_, { from, take }) => ({ nodes: await get('logs', { from, take }) }),
  },
  User: {
    userId: (user) => user.user_id,
    emailVerified: (user) => user.email_verified,
    phoneNumber: (user) => user.phone_number,
    phoneVerified: (user) => user.phone_verified,
    givenName: (user) => user.given_name,
    familyName: (user) => user.family_name,
    createdAt: (user) => user.created_at,
    updatedAt: (user) => user.updated_at,
    lastLogin: (user) => user.last_login,
    lastIp: (user) => user.last_ip,
    loginsCount: (user) => user.logins_count,
    lastPasswordReset: (user) => user.last_password_reset,
    multifactorLastModified: (user) => user.multifactor_last_modified,
    appMetadata: (user) => user.app_metadata,
    userMetadata: (user) => user.user_metadata,
    blockedFor: (user) => user.blocked_for,
    guardianAuthenticators: (user) => user.guardian_authenticators,
  },
  Identity: {
    userId: (identity) => identity.user_id,
  },
  Log: {
    logId: (log) => log.log_id,
    connectionId: (log) => log.connection_id,
    clientId: (log) => log.client_id,
    clientName: (log) => log.client_name,
    userId: (log) => log.user_id,
    userName: (log) => log.user_name,
    strategyType: (log) => log.strategy_type,
  },
};

const app = Fastify();
app.register(mercurius, { schema, resolvers, jit: 1 });
await app.listen({ host: '127.0.0.1', port: Number(PORT) });

// What belongs to each user of the made-up tenant: roles, sessions and the like, as raw JSON with the oddities of Auth0's wire.
import { Rng } from './rng.mjs';
import { parse } from './json.mjs';

const q = (text) => JSON.stringify(text);

/** The lists by the path of their endpoint: the key in an envelope, how they are asked for, and what their records have. */
export const LISTS = {
  roles: { key: 'roles', by: 'page' },
  permissions: { key: 'permissions', by: 'page' },
  organizations: { key: 'organizations', by: 'page' },
  'authentication-methods': { key: 'authenticators', by: 'page' },
  enrollments: { key: 'enrollments', by: 'nothing' },
  sessions: { key: 'sessions', by: 'checkpoint' },
  'refresh-tokens': { key: 'tokens', by: 'checkpoint' },
  'user-blocks': { key: 'blocked_for', by: 'nothing' },
};

/** What is no record, in the place of one. */
const NO_RECORDS = ['null', '5', '"x"', '[]', '[{"token":"secret"}]'];

/** The lists of users. `values` has raw JSON texts of each kind: what Auth0 has been seen to send, and what it could. */
export function listsOf(users, values) {
  const rng = new Rng(20261130);
  const { STRINGS, IDS, BOOLEANS, DATES, JSONS, LISTS: WORDS } = values;
  const UNKNOWN = ['"secret"', ...JSONS];
  const object = (spec, odds = 0.75) => {
    const entries = Object.entries(spec).filter(() => rng.chance(odds)).map(([key, raw]) => [key, typeof raw === 'function' ? raw() : rng.pick(raw)]);
    if (rng.chance(0.03) && entries.length > 0) entries.push([entries[0][0], rng.pick(STRINGS)]);
    return `{${rng.shuffle(entries).map(([key, raw]) => `${q(key)}:${raw}`).join(',')}}`;
  };
  const several = (make, most) => `[${Array.from({ length: rng.int(0, most) }, () => (rng.chance(0.05) ? rng.pick(NO_RECORDS) : make())).join(',')}]`;
  const within = (make) => () => (rng.chance(0.12) ? rng.pick(['null', '[]', '"text"', '5', '{}', '["secret"]', '{"token":"secret"}']) : make());
  const device = within(() => object({ initial_user_agent: STRINGS, initial_ip: STRINGS, initial_asn: STRINGS, last_user_agent: STRINGS, last_ip: STRINGS, last_asn: STRINGS, key: UNKNOWN }));
  const dates = (...names) => Object.fromEntries(names.map((name) => [name, DATES]));
  const MAKE = {
    roles: () => object({ id: ['"rol_1"', '"rol_2"', ...IDS], name: ['"Admin"', ...STRINGS], description: STRINGS, more: JSONS }),
    permissions: () =>
      object({
        permission_name: ['"read:foo"', ...STRINGS],
        description: STRINGS,
        resource_server_name: STRINGS,
        resource_server_identifier: ['"https://api"', ...STRINGS],
        sources: within(() => several(() => object({ source_id: ['""', '"rol_1"', ...IDS], source_name: STRINGS, source_type: ['"DIRECT"', '"ROLE"', ...STRINGS], more: JSONS }), 2)),
        name: STRINGS,
      }),
    organizations: () => object({ id: ['"org_1"', '"org_2"', '"org_3"', '"org_4"'], name: STRINGS, display_name: STRINGS, branding: JSONS, metadata: JSONS, third_party_client_access: ['"block"'], is_app_entitlement_active: BOOLEANS }),
    'authentication-methods': () =>
      object({
        id: ['"totp|dev_1"', ...IDS], type: ['"totp"', '"phone"', ...STRINGS], name: STRINGS, confirmed: BOOLEANS, ...dates('created_at', 'enrolled_at', 'last_auth_at'),
        phone_number: ['"XXXXXXXX5044"', ...STRINGS], email: STRINGS, preferred_authentication_method: ['"sms"', ...STRINGS], authentication_methods: ['[{"id":"sms|dev_1","type":"sms"}]'], totp_secret: UNKNOWN,
      }),
    enrollments: () => object({ id: IDS, status: ['"confirmed"', ...STRINGS], type: STRINGS, name: STRINGS, identifier: STRINGS, phone_number: STRINGS, auth_method: STRINGS, ...dates('enrolled_at', 'last_auth'), more: JSONS }),
    sessions: () =>
      object({
        id: IDS, user_id: IDS, ...dates('created_at', 'updated_at', 'authenticated_at', 'idle_expires_at', 'expires_at', 'last_interacted_at'), device,
        clients: within(() => several(() => object({ client_id: STRINGS, more: JSONS }), 3)),
        authentication: within(() => object({ methods: within(() => several(() => object({ name: STRINGS, timestamp: DATES, type: STRINGS, more: JSONS }), 3)), more: JSONS })),
        cookie: ['{"mode":"persistent"}'], session_metadata: JSONS, metadata: JSONS,
      }),
    'refresh-tokens': () =>
      object({
        id: IDS, user_id: IDS, client_id: STRINGS, session_id: ['null', ...IDS], rotating: BOOLEANS, ...dates('created_at', 'idle_expires_at', 'expires_at', 'last_exchanged_at'), device,
        resource_servers: within(() => several(() => object({ audience: STRINGS, scopes: WORDS, key: UNKNOWN }), 3)), token: UNKNOWN, refresh_token: UNKNOWN,
      }),
    'user-blocks': () => object({ identifier: ['"ada@example.com"', ...STRINGS], ip: ['null', ...STRINGS], connection: STRINGS, more: JSONS }),
  };
  const of = () => Object.fromEntries(Object.entries(MAKE).map(([name, make]) => [name, rng.chance(0.25) ? [] : Array.from({ length: rng.int(1, 6) }, () => (rng.chance(0.04) ? rng.pick(NO_RECORDS) : make())).map((raw) => ({ raw, json: parse(raw) }))]));
  return new Map(users.map(({ id }) => [id, of()]));
}

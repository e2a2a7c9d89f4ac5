// Holds the gateway at GATEWAY_URL to every GraphQL-over-HTTP audit of graphql-http. The
// recommendations and options among them count as much as the requirements.

import { auditServer } from 'graphql-http';
import { endpoint } from './gateway.mjs';

// A newer suite with fewer audits, or more, is to be looked at rather than believed.
const AUDITS = 61;

const results = await auditServer({ url: endpoint() });
for (const { id, name, status, reason } of results) {
  console.log(`${status.padEnd(6)} ${id} ${name}${reason ? `\n       ${reason}` : ''}`);
}
const passed = results.filter(({ status }) => status === 'ok').length;
console.log(`${passed} of ${AUDITS} audits passed`);
if (results.length !== AUDITS) {
  console.error(`graphql-http ran ${results.length} audits where ${AUDITS} were expected`);
}
process.exitCode = passed === AUDITS && results.length === AUDITS ? 0 : 1;

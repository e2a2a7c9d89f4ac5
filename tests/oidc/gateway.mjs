// A gateway of its own for each test, in front of the sandbox, which takes the tokens of an issuer.

import { startProgram } from '../program.mjs';

/** Starts a gateway that takes the tokens that `issuer` issues for `audience`. */
export async function startGateway(issuer, audience) {
  const { url, stop } = await startProgram('--jwt-issuer', issuer, '--jwt-audience', audience);
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

    stop,
  };
}

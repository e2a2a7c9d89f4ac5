import { createClient } from 'graphql-sse';
import type { TypedDocumentString } from './gql/graphql';

export interface GatewayError {
  message: string;
  /** The field that failed. Its siblings have their data. */
  path?: (string | number)[];
  extensions?: { code?: string; retryAfterMs?: number; from?: string };
}

/** The answer to a request. A part can have failed while the rest of the data is there. */
export interface Answer<Data> {
  data?: Data | null;
  errors?: GatewayError[];
}

const url = '/graphql';

/** Says who asks, with each request: `authorization: Bearer …`, once your users log in. */
const credentials = async (): Promise<Record<string, string>> => ({});

/** Asks once. Where there is no answer, an error says so. */
export async function ask<Data, Variables>(
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
  signal: AbortSignal,
): Promise<Answer<Data>> {
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        accept: 'application/graphql-response+json',
        'content-type': 'application/json',
        ...(await credentials()),
      },
      body: JSON.stringify({ query: document, variables }),
      signal,
    });
    // Errors of GraphQL come with statuses such as 400 too.
    return await response.json();
  } catch (error) {
    return { errors: [{ message: `The gateway does not answer: ${String(error)}` }] };
  }
}

/** A filter, or nothing if there is no condition in it: the gateway refuses one that would find everything by oversight. */
export const filled = <Filter extends object>(filter: Filter) => (Object.keys(filter).length > 0 ? filter : undefined);

/** For subscriptions. Reconnects are up to who subscribes: only they know where to resume. */
export const events = createClient({ url, headers: credentials, retryAttempts: 0 });

import { useEffect, useState } from 'react';
import type { TypedDocumentString } from './gql/graphql';

/** The answer to a request. A part can have failed while the rest of the data is there. */
export interface Answer<Data> {
  data?: Data;
  error?: string;
}

interface Body<Data> {
  data?: Data | null;
  errors?: { message: string }[];
}

/** Asks the gateway, and asks again when the variables change. The answer before stays until the
 * next one is there. */
export function useQuery<Data, Variables>(
  document: TypedDocumentString<Data, Variables>,
  variables: Variables,
): Answer<Data> & { loading: boolean } {
  const body = JSON.stringify({ query: document, variables });
  const [answered, setAnswered] = useState<Answer<Data> & { body?: string }>({});

  useEffect(() => {
    const request = new AbortController();
    ask<Data>(body, request.signal)
      .catch((error: unknown) => ({ error: `The gateway cannot be reached: ${String(error)}` }))
      .then((answer) => {
        if (!request.signal.aborted) setAnswered({ ...answer, body });
      });
    return () => request.abort();
  }, [body]);

  return { ...answered, loading: answered.body !== body };
}

async function ask<Data>(body: string, signal: AbortSignal): Promise<Answer<Data>> {
  const response = await fetch('/graphql', {
    method: 'POST',
    headers: { accept: 'application/graphql-response+json', 'content-type': 'application/json' },
    body,
    signal,
  });
  // Errors of GraphQL come with statuses such as 400 too.
  const { data, errors }: Body<Data> = await response.json();
  return { data: data ?? undefined, error: errors?.map(({ message }) => message).join('\n') };
}

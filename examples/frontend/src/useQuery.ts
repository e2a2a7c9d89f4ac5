import { useEffect, useReducer, useState } from 'react';
import { ask, type Answer } from './gateway';
import type { TypedDocumentString } from './gql/graphql';

/** Asks the gateway, and asks again when the variables change or `retry` is called. The answer before stays until the next one is
 * there. */
export function useQuery<Data, Variables>(document: TypedDocumentString<Data, Variables>, variables: Variables) {
  const [attempt, retry] = useReducer((count: number) => count + 1, 0);
  const [answer, setAnswer] = useState<Answer<Data> & { to?: string }>({});
  const asked = JSON.stringify([variables, attempt]);

  useEffect(() => {
    const request = new AbortController();
    void ask(document, variables, request.signal).then((answer) => {
      if (!request.signal.aborted) setAnswer({ ...answer, to: asked });
    });
    return () => request.abort();
  }, [asked]);

  return { data: answer.data, errors: answer.errors ?? [], loading: answer.to !== asked, retry };
}

import { useEffect, useReducer } from 'react';
import type { LogTailFilter } from './gql/graphql';
import type { Row } from './LogTable';
import { follow, type TailEvent } from './tail';

/** A page that is left open all night must not fill the memory. */
const MOST_ROWS = 500;

interface Tail {
  /** What came, the last first. */
  rows: Row[];
  status: string;
  /** What is known of logs that are missing. */
  gap?: string;
  /** Why there is no stream. */
  refusal?: string;
}

function next(tail: Tail, event: TailEvent | { kind: 'gap seen' }): Tail {
  switch (event.kind) {
    case 'connecting':
      return { ...tail, status: 'Connecting…', refusal: undefined };
    case 'connected':
      return { ...tail, status: 'Live' };
    case 'log':
      return { ...tail, rows: [{ ...event.log, late: event.late }, ...tail.rows].slice(0, MOST_ROWS) };
    case 'gap':
      return { ...tail, gap: event.message };
    case 'gap seen':
      return { ...tail, gap: undefined };
    case 'interrupted':
      return { ...tail, status: `${event.message} Next try in ${Math.ceil(event.delay / 1000)} s.` };
    case 'refused':
      return { ...tail, status: '', refusal: event.error.message };
  }
}

/** The logs that come. While paused there is no stream; then those that came meanwhile follow. Another filter is another tail: give
 * the component a `key`. */
export function useTail(filter: LogTailFilter | undefined, isPaused: boolean) {
  const [tail, tell] = useReducer(next, { rows: [], status: 'Connecting…' });
  const [attempt, retry] = useReducer((count: number) => count + 1, 0);

  useEffect(() => {
    if (isPaused) return;
    const following = new AbortController();
    void follow(filter, (event) => following.signal.aborted || tell(event), following.signal);
    return () => following.abort();
  }, [isPaused, attempt]);

  return { ...tail, isFull: tail.rows.length >= MOST_ROWS, retry, closeGap: () => tell({ kind: 'gap seen' }) };
}

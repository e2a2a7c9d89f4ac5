import { ask, events, type Answer, type GatewayError } from './gateway';
import { graphql } from './gql';
import type { LogRowFragment, LogTailFilter, TailSubscription } from './gql/graphql';

const Tail = graphql(`
  subscription Tail($from: ID, $filter: LogTailFilter) {
    logs(from: $from, filter: $filter) {
      ...LogRow
    }
  }
`);

const Recent = graphql(`
  query Recent {
    logs(take: 100) {
      nodes {
        id
      }
    }
  }
`);

export type TailEvent =
  | { kind: 'connecting' }
  | { kind: 'connected' }
  | { kind: 'log'; log: LogRowFragment; late: boolean }
  /** Logs may be missing here. */
  | { kind: 'gap'; message: string }
  /** The stream has ended, and goes on after a delay in milliseconds. */
  | { kind: 'interrupted'; message: string; delay: number }
  /** The stream is refused, and would be again. */
  | { kind: 'refused'; error: GatewayError };

type Response = Answer<TailSubscription> & { extensions?: { late?: boolean } };

/** Follows the logs that a filter lets through, until `signal` says that it is enough. Whatever ends the stream, it goes on behind
 * the last log that came; where there is none, it begins with the newest hundred. */
export async function follow(filter: LogTailFilter | undefined, tell: (event: TailEvent) => void, signal: AbortSignal) {
  let from = keptPlace(filter) ?? (await hundredthLog(signal));

  for (let failures = 0; !signal.aborted; failures += 1) {
    tell({ kind: 'connecting' });
    let end: GatewayError = { message: 'The stream has ended.' };
    const stream = events.iterate<TailSubscription, Response['extensions']>(
      { query: String(Tail), variables: { from, filter } },
      { connected: () => tell({ kind: 'connected' }) },
    );
    const stop = () => void stream.return?.();
    signal.addEventListener('abort', stop);
    try {
      for await (const response of stream) {
        const { data, errors, extensions } = response as Response;
        const error = errors?.[0];
        if (data?.logs) {
          failures = 0;
          // Not that of a late one, which is less.
          if (!from || data.logs.id > from) from = data.logs.id;
          keepPlace(filter, from);
          tell({ kind: 'log', log: data.logs, late: extensions?.late === true });
        } else if (error?.extensions?.code === 'LOGS_MISSED') {
          tell({ kind: 'gap', message: error.message });
        } else if (error) {
          end = error;
        }
      }
    } catch (error) {
      // The network, or a proxy in between: it may be there again in a moment.
      end = { message: String(error), extensions: { retryAfterMs: 0 } };
    } finally {
      signal.removeEventListener('abort', stop);
    }
    if (signal.aborted) return;

    const { from: resume, retryAfterMs } = end.extensions ?? {};
    if (!resume && retryAfterMs === undefined) return tell({ kind: 'refused', error: end });
    // At random, so that clients that were interrupted together do not return together.
    const delay = (retryAfterMs ?? 0) + Math.min(500 * 2 ** failures, 15_000) * (1 + Math.random());
    tell({ kind: 'interrupted', message: end.message, delay });
    from = resume ?? from;
    await sleep(delay, signal);
  }
}

async function hundredthLog(signal: AbortSignal): Promise<string | undefined> {
  const { data } = await ask(Recent, {}, signal);
  return data?.logs?.nodes.map(({ id }) => id).sort()[0];
}

const sleep = (delay: number, signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, delay);
    signal.addEventListener('abort', () => (clearTimeout(timer), resolve()), { once: true });
  });

// The last log that came is kept for as long as the tab is there, so that a reload goes on behind it.

const KEY = 'tail';

function keptPlace(filter?: LogTailFilter): string | undefined {
  const kept = JSON.parse(sessionStorage.getItem(KEY) ?? '{}');
  return kept.filter === JSON.stringify(filter) ? kept.from : undefined;
}

function keepPlace(filter: LogTailFilter | undefined, from: string) {
  sessionStorage.setItem(KEY, JSON.stringify({ filter: JSON.stringify(filter), from }));
}

import { useMemo, useSyncExternalStore } from 'react';

// What is shown stands in the address's fragment, so that the browser's buttons and bookmarks work.

export type Route = Record<string, string | undefined>;

function subscribe(onChange: () => void) {
  addEventListener('hashchange', onChange);
  return () => removeEventListener('hashchange', onChange);
}

export function useRoute(): Route {
  const hash = useSyncExternalStore(subscribe, () => location.hash.slice(1));
  return useMemo(() => Object.fromEntries(new URLSearchParams(hash)), [hash]);
}

export function href(route: Route): string {
  const filled = Object.entries(route).filter((entry): entry is [string, string] => !!entry[1]);
  return `#${new URLSearchParams(filled)}`;
}

export function go(route: Route) {
  location.hash = href(route);
}

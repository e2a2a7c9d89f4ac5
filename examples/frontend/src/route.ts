import { useSyncExternalStore } from 'react';

// What is shown stands in the address's fragment, so that the browser's buttons and bookmarks work.

function subscribe(onChange: () => void) {
  addEventListener('hashchange', onChange);
  return () => removeEventListener('hashchange', onChange);
}

export function useRoute(): URLSearchParams {
  return new URLSearchParams(useSyncExternalStore(subscribe, () => location.hash.slice(1)));
}

export function href(route: Record<string, string | number>): string {
  const filled = Object.entries(route).filter(([, value]) => value !== '' && value !== 0);
  return `#${new URLSearchParams(filled.map(([name, value]) => [name, String(value)]))}`;
}

import { useEffect, useRef, type ReactNode } from 'react';
import { go, type Route } from './route';

/** A form whose fields are the route's: they show what the route has, and change it. */
export function FilterForm({ route, children }: { route: Route; children: ReactNode }) {
  const form = useRef<HTMLFormElement>(null);

  useEffect(() => {
    for (const field of form.current!.querySelectorAll<HTMLInputElement | HTMLSelectElement>('[name]')) {
      field.value = route[field.name] ?? '';
    }
  }, [route]);

  return (
    <form
      ref={form}
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const filled = new FormData(event.currentTarget) as Iterable<[string, string]>;
        go({ page: route.page, ...Object.fromEntries(filled) });
      }}
    >
      {children}
      <button>Search</button>
    </form>
  );
}

/** A choice, which applies at once. */
export function Choice({ name, label, options }: { name: string; label: string; options: Record<string, string> }) {
  return (
    <label>
      {label}
      <select name={name} onChange={(event) => event.currentTarget.form?.requestSubmit()}>
        {Object.entries(options).map(([value, text]) => (
          <option key={value} value={value}>
            {text}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Text({ name, label, placeholder }: { name: string; label: string; placeholder?: string }) {
  return (
    <label>
      {label}
      <input name={name} type="search" placeholder={placeholder} />
    </label>
  );
}

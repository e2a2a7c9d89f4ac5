import { useEffect, useRef } from 'react';
import { Failure } from './Failure';
import { Choice, FilterForm, Text } from './FilterForm';
import { filled } from './gateway';
import type { UserFilter } from './gql/graphql';
import { href, type Route } from './route';
import { time } from './time';
import { useScrollPosition } from './useScrollPosition';
import { useUsers } from './useUsers';

const ONLY: Record<string, UserFilter> = {
  blocked: { blocked: { eq: true } },
  unverified: { emailVerified: { eq: false } },
  absent: { neverLoggedIn: true },
};

/** Whoever's address or name begins with what was typed. It is looked for as it is: nothing of it is taken for search syntax. */
function filterOf({ q, only }: Route) {
  const begins = { startsWith: q };
  return filled<UserFilter>({
    ...(q && { or: [{ email: begins }, { name: begins }, { familyName: begins }] }),
    ...(only && ONLY[only]),
  });
}

/** A search, and the users that it finds. */
export function UsersPage({ route }: { route: Route }) {
  useScrollPosition();
  return (
    <>
      <h1>Users</h1>
      <FilterForm route={route}>
        <Text name="q" label="Name or address" placeholder="The beginning of it" />
        <Choice
          name="only"
          label="Show"
          options={{ '': 'Everybody', blocked: 'Blocked', unverified: 'Address not verified', absent: 'Never logged in' }}
        />
      </FilterForm>
      <Users key={JSON.stringify(filterOf(route))} route={route} />
    </>
  );
}

function Users({ route }: { route: Route }) {
  const { users, total, hasNextPage, loading, errors, more } = useUsers(filterOf(route));
  return (
    <>
      {users.length > 0 && (
        <table>
          <thead>
            <tr>
              <th>Name</th>
              <th>E-mail</th>
              <th>Last login</th>
            </tr>
          </thead>
          <tbody>
            {users.map((user) => (
              <tr key={user.id}>
                <td>
                  <a href={href({ ...route, user: user.id })}>{user.name ?? user.id}</a>
                  {user.blocked && <em> blocked</em>}
                </td>
                <td>{user.email}</td>
                <td>{time(user.lastLogin)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
      <Failure errors={errors} retry={more} />
      {hasNextPage && errors.length === 0 && <More loading={loading} more={more} />}
      <p role="status">{total !== undefined && `${users.length} of ${total ?? '1,000 or more'} users`}</p>
    </>
  );
}

/** A button that presses itself when it comes near. */
function More({ loading, more }: { loading: boolean; more: () => void }) {
  const button = useRef<HTMLButtonElement>(null);

  // It is observed anew after each page: a page may be so short that the button is in sight still, of which an observer that has
  // told so once says nothing.
  useEffect(() => {
    if (loading || !('IntersectionObserver' in window)) return;
    const observer = new IntersectionObserver((entries) => entries.some((entry) => entry.isIntersecting) && more(), {
      rootMargin: '400px',
    });
    observer.observe(button.current!);
    return () => observer.disconnect();
  }, [loading]);

  return (
    <button ref={button} aria-disabled={loading} onClick={() => loading || more()}>
      {loading ? 'Loading…' : 'More users'}
    </button>
  );
}

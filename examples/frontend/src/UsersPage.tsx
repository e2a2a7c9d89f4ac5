import { graphql } from './gql';
import { href } from './route';
import { time } from './time';
import { useQuery } from './useQuery';

const Users = graphql(`
  query Users($q: String, $page: Int!) {
    users(q: $q, page: $page, perPage: 20, sort: { field: EMAIL }) {
      total
      hasNextPage
      nodes {
        userId
        name
        email
        lastLogin
        blocked
      }
    }
  }
`);

/** A table of the users that a search finds, page by page. */
export function UsersPage({ q, page }: { q: string; page: number }) {
  const { data, error, loading } = useQuery(Users, { q, page });
  const users = data?.users;

  return (
    <>
      <h1>Users</h1>
      <form
        role="search"
        onSubmit={(event) => {
          event.preventDefault();
          const searched = new FormData(event.currentTarget).get('q');
          location.hash = href({ q: String(searched) });
        }}
      >
        <input key={q} name="q" type="search" defaultValue={q} aria-label="Search" placeholder='name:ada* OR email:"…"' />
        <button>Search</button>
      </form>
      {error && <p role="alert">{error}</p>}
      {users && (
        <>
          <table aria-busy={loading}>
            <thead>
              <tr>
                <th>Name</th>
                <th>E-mail</th>
                <th>Last login</th>
              </tr>
            </thead>
            <tbody>
              {users.nodes.map((user) => (
                <tr key={user.userId}>
                  <td>
                    <a href={href({ user: user.userId ?? '' })}>{user.name ?? user.userId}</a>
                    {user.blocked && <em> blocked</em>}
                  </td>
                  <td>{user.email}</td>
                  <td>{time(user.lastLogin)}</td>
                </tr>
              ))}
            </tbody>
          </table>
          <nav>
            {page > 0 && <a href={href({ q, page: page - 1 })}>Previous</a>}
            <span>
              Page {page + 1}, {users.total} users
            </span>
            {users.hasNextPage && <a href={href({ q, page: page + 1 })}>Next</a>}
          </nav>
        </>
      )}
    </>
  );
}

import { graphql } from './gql';
import { href } from './route';
import { time } from './time';
import { useQuery } from './useQuery';

const UserWithLogs = graphql(`
  query UserWithLogs($id: ID!, $q: String!) {
    user(id: $id) {
      name
      email
      emailVerified
      blocked
      createdAt
      lastLogin
      loginsCount
      identities {
        provider
        connection
      }
    }
    searchLogs(q: $q, perPage: 20) {
      nodes {
        logId
        date
        type
        typeDescription
        outcome
        ip
      }
    }
  }
`);

/** Makes a term of Lucene's syntax, in which quotes and backslashes have a meaning. */
const quoted = (text: string) => `"${text.replaceAll(/["\\]/g, '\\$&')}"`;

/** A user, and the last logs of what they did. */
export function UserPage({ id }: { id: string }) {
  const { data, error, loading } = useQuery(UserWithLogs, { id, q: `user_id:${quoted(id)}` });
  const user = data?.user;

  return (
    <>
      <nav>
        <a href={href({})}>All users</a>
      </nav>
      {error && <p role="alert">{error}</p>}
      {!loading && !error && !user && <p>There is no user with the id {id}.</p>}
      {user && (
        <>
          <h1>{user.name ?? id}</h1>
          <dl>
            <dt>Id</dt>
            <dd>{id}</dd>
            <dt>E-mail</dt>
            <dd>
              {user.email} {user.emailVerified && '(verified)'}
            </dd>
            <dt>Blocked</dt>
            <dd>{user.blocked ? 'yes' : 'no'}</dd>
            <dt>Created</dt>
            <dd>{time(user.createdAt)}</dd>
            <dt>Logins</dt>
            <dd>
              {user.loginsCount ?? 0}, last: {time(user.lastLogin)}
            </dd>
            <dt>Identities</dt>
            <dd>{user.identities?.map(({ provider, connection }) => `${provider} (${connection})`).join(', ')}</dd>
          </dl>
        </>
      )}
      {data?.searchLogs && (
        <>
          <h2>Logs</h2>
          <table>
            <thead>
              <tr>
                <th>Time</th>
                <th>What</th>
                <th>Address</th>
              </tr>
            </thead>
            <tbody>
              {data.searchLogs.nodes.map((log) => (
                <tr key={log.logId} className={log.outcome?.toLowerCase()}>
                  <td>{time(log.date)}</td>
                  <td>{log.typeDescription ?? log.type}</td>
                  <td>{log.ip}</td>
                </tr>
              ))}
            </tbody>
          </table>
          {data.searchLogs.nodes.length === 0 && <p>None, as far back as the tenant keeps them.</p>}
        </>
      )}
    </>
  );
}

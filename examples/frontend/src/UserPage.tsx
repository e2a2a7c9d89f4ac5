import type { ReactNode } from 'react';
import { Failure } from './Failure';
import type { GatewayError } from './gateway';
import { graphql } from './gql';
import { LogTable } from './LogTable';
import { href, type Route } from './route';
import { time } from './time';
import { useQuery } from './useQuery';
import { useScrollPosition } from './useScrollPosition';

// A whole screen in one query. It costs five calls to Auth0: the user, and one for each part.
const UserWithParts = graphql(`
  query UserWithParts($id: ID!) {
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
      roles(perPage: 20) {
        nodes {
          id
          name
          description
        }
      }
      organizations(perPage: 20) {
        nodes {
          id
          name
          displayName
        }
      }
      sessions(take: 10) {
        nodes {
          id
          createdAt
          lastInteractedAt
          device {
            lastUserAgent
            lastIp
          }
        }
      }
      logs(perPage: 20) {
        nodes {
          ...LogRow
        }
      }
    }
  }
`);

const PARTS = ['roles', 'organizations', 'sessions', 'logs'] as const;

/** The part of the page that an error is of. */
const partOf = ({ path }: GatewayError) => PARTS.find((part) => path?.[0] === 'user' && path[1] === part);

/** A user, and what belongs to them. */
export function UserPage({ id, route }: { id: string; route: Route }) {
  const { data, errors, loading, retry } = useQuery(UserWithParts, { id });
  const user = data?.user;
  const part = (name: (typeof PARTS)[number]) => ({
    isEmpty: user?.[name]?.nodes.length === 0,
    failure: <Failure errors={errors.filter((error) => partOf(error) === name)} retry={retry} />,
  });
  useScrollPosition();

  return (
    <>
      <nav>
        <a href={href({ ...route, user: '' })}>Back to the list</a>
      </nav>
      <Failure errors={errors.filter((error) => !partOf(error))} retry={retry} />
      {loading && !user && <p role="status">Loading…</p>}
      {!loading && !user && errors.length === 0 && <p role="status">There is no user with the id {id}.</p>}
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
          <div className="parts">
            <Part title="Roles" {...part('roles')}>
              <ul>
                {user.roles?.nodes.map((role) => (
                  <li key={role.id}>
                    {role.name} <small>{role.description}</small>
                  </li>
                ))}
              </ul>
            </Part>
            <Part title="Organizations" {...part('organizations')}>
              <ul>
                {user.organizations?.nodes.map((organization) => (
                  <li key={organization.id}>{organization.displayName ?? organization.name}</li>
                ))}
              </ul>
            </Part>
            <Part title="Sessions" {...part('sessions')}>
              <ul>
                {user.sessions?.nodes.map((session) => (
                  <li key={session.id}>
                    {time(session.lastInteractedAt ?? session.createdAt)}{' '}
                    <small>
                      {session.device?.lastIp} {session.device?.lastUserAgent}
                    </small>
                  </li>
                ))}
              </ul>
            </Part>
          </div>
          <Part title="Recent logs" {...part('logs')}>
            <LogTable rows={user.logs?.nodes ?? []} route={route} />
          </Part>
        </>
      )}
    </>
  );
}

/** A part of the page, which can fail by itself. */
function Part(props: { title: string; isEmpty: boolean; failure: ReactNode; children: ReactNode }) {
  return (
    <section aria-label={props.title}>
      <h2>{props.title}</h2>
      {props.failure}
      {props.isEmpty ? <p>None.</p> : props.children}
    </section>
  );
}

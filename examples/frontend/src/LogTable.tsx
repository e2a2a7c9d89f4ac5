import { graphql } from './gql';
import type { LogRowFragment } from './gql/graphql';
import { href, type Route } from './route';
import { preciseTime } from './time';

export const LogRow = graphql(`
  fragment LogRow on Log {
    id
    date
    type
    typeDescription
    outcome
    connection
    ip
    userId
    userName
  }
`);

export type Row = LogRowFragment & {
  /** True if Auth0 showed it after later ones. */
  late?: boolean;
};

/** Logs, each with the way to its user. */
export function LogTable({ rows, route }: { rows: Row[]; route: Route }) {
  return (
    <table>
      <thead>
        <tr>
          <th>Time</th>
          <th>What</th>
          <th>User</th>
          <th>Connection</th>
          <th>Address</th>
        </tr>
      </thead>
      <tbody>
        {rows.map((log) => (
          <tr key={log.id} data-id={log.id} className={log.outcome?.toLowerCase()}>
            <td>
              {preciseTime(log.date)}
              {log.late && <em title="Auth0 showed it after later ones"> late</em>}
            </td>
            <td>
              {log.typeDescription ?? log.type} <code>{log.type}</code>
            </td>
            <td>{log.userId ? <a href={href({ ...route, user: log.userId })}>{log.userName || log.userId}</a> : log.userName}</td>
            <td>{log.connection}</td>
            <td>{log.ip}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

import type { GatewayError } from './gateway';

/** Says what failed, once each, and offers to try again. */
export function Failure({ errors, retry }: { errors: GatewayError[]; retry?: () => void }) {
  if (errors.length === 0) return null;
  return (
    <div role="alert">
      {[...new Set(errors.map(({ message }) => message))].map((message) => (
        <p key={message}>{message}</p>
      ))}
      {retry && <button onClick={retry}>Try again</button>}
    </div>
  );
}

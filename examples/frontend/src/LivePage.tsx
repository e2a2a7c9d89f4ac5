import { useState } from 'react';
import { Failure } from './Failure';
import { Choice, FilterForm, Text } from './FilterForm';
import { filled } from './gateway';
import type { LogOutcome, LogTailFilter } from './gql/graphql';
import { LogTable } from './LogTable';
import type { Route } from './route';
import { useScrollPosition } from './useScrollPosition';
import { useTail } from './useTail';

/** What is not asked for is left out: the gateway refuses an operator without a value. */
function filterOf({ type, outcome, connection, userId, ip }: Route) {
  return filled<LogTailFilter>({
    ...(type && { type: { in: type.split(/[\s,]+/) } }),
    ...(outcome && { outcome: { eq: outcome as LogOutcome } }),
    ...(connection && { connection: { eq: connection } }),
    ...(userId && { userId: { eq: userId } }),
    ...(ip && { ip: { eq: ip } }),
  });
}

/** The tenant's logs as they come. */
export function LivePage({ route }: { route: Route }) {
  const filter = filterOf(route);
  useScrollPosition();
  return (
    <>
      <h1>Live</h1>
      <FilterForm route={route}>
        <Choice
          name="outcome"
          label="Outcome"
          options={{ '': 'Any', SUCCESS: 'Success', FAILURE: 'Failure', WARNING: 'Warning', OTHER: 'Other' }}
        />
        <Text name="type" label="Types" placeholder="such as f, fp" />
        <Text name="connection" label="Connection" />
        <Text name="userId" label="Id of the user" />
        <Text name="ip" label="Address" />
      </FilterForm>
      <Tail key={JSON.stringify(filter)} filter={filter} route={route} />
    </>
  );
}

function Tail({ filter, route }: { filter?: LogTailFilter; route: Route }) {
  const [isPaused, setPaused] = useState(false);
  const { rows, status, gap, refusal, isFull, retry, closeGap } = useTail(filter, isPaused);
  return (
    <>
      <nav>
        <button onClick={() => setPaused(!isPaused)}>{isPaused ? 'Go on' : 'Pause'}</button>
        <span role="status">{isPaused ? 'Paused. What comes meanwhile is not lost.' : status}</span>
      </nav>
      {gap && (
        <div role="alert">
          <p>{gap}</p>
          <button onClick={closeGap}>Understood</button>
        </div>
      )}
      {refusal && <Failure errors={[{ message: refusal }]} retry={retry} />}
      {rows.length > 0 ? <LogTable rows={rows} route={route} /> : <p>Logs appear here as they come.</p>}
      {isFull && <p>Older ones are not kept here.</p>}
    </>
  );
}

import { Activity, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { LivePage } from './LivePage';
import { href, useRoute } from './route';
import './style.css';
import { UserPage } from './UserPage';
import { UsersPage } from './UsersPage';

const LISTS = [
  { page: '', name: 'Users', List: UsersPage },
  { page: 'live', name: 'Live', List: LivePage },
];

/** A list, or a user in its place. The lists that are not shown keep what they have, and ask for nothing. */
function App() {
  const route = useRoute();
  const { page = '', user } = route;
  return (
    <>
      <header>
        {LISTS.map((list) => (
          <a key={list.page} href={href({ page: list.page })} aria-current={list.page === page ? 'page' : undefined}>
            {list.name}
          </a>
        ))}
      </header>
      <main>
        {LISTS.map((list) => (
          <Activity key={list.page} mode={list.page === page && !user ? 'visible' : 'hidden'}>
            <list.List route={list.page === page ? route : {}} />
          </Activity>
        ))}
        {user && <UserPage key={user} id={user} route={route} />}
      </main>
    </>
  );
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);

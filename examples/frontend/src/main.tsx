import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { useRoute } from './route';
import './style.css';
import { UserPage } from './UserPage';
import { UsersPage } from './UsersPage';

function App() {
  const route = useRoute();
  const id = route.get('user');
  return id ? <UserPage key={id} id={id} /> : <UsersPage q={route.get('q') ?? ''} page={Number(route.get('page') ?? 0)} />;
}

createRoot(document.getElementById('root')!).render(
  <StrictMode>
    <App />
  </StrictMode>,
);

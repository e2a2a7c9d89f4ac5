import { explorerPlugin } from '@graphiql/plugin-explorer';
import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { createLocalStorage } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { createRoot } from 'react-dom/client';
import '@graphiql/react/font/roboto.css';
import '@graphiql/react/font/fira-code.css';
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import '@graphiql/plugin-explorer/style.css';
import 'graphiql/graphiql.css';
import './main.css';

// Tabs are named after their operations.
const OPERATIONS = [
  {
    query: `# Ctrl-Enter runs, Ctrl-Space completes.
# q takes Auth0's search syntax for users.
query People {
  users(
    q: "logins_count:[1 TO *]"
    page: 0
    perPage: 10
  ) {
    total
    hasNextPage
    nodes {
      userId
      name
      email
      emailVerified
      lastLogin
      loginsCount
      identities {
        connection
        provider
      }
    }
  }
}
`,
  },
  {
    query: `# Take a userId that People found
# for the variable below.
query OnePerson($id: ID!) {
  user(id: $id) {
    userId
    name
    email
    emailVerified
    lastLogin
    loginsCount
    identities {
      connection
      provider
    }
  }
}
`,
    variables: JSON.stringify({ id: 'auth0|9b50976480d60324a70bf8e4' }, null, 2),
  },
  {
    query: `# Newest first. Pass what is in next as from
# to get what came after, oldest first.
query RecentLogs {
  logs(take: 20) {
    next
    nodes {
      logId
      date
      type
      typeDescription
      outcome
      userName
      ip
    }
  }
}
`,
  },
  {
    query: `# f: a failed login, fp: a wrong password.
query FailedLogins {
  searchLogs(
    q: "type:f OR type:fp"
    page: 0
    perPage: 20
  ) {
    hasNextPage
    nodes {
      logId
      date
      typeDescription
      description
      userName
      ip
    }
  }
}
`,
  },
];

// A sandbox gives everybody a token; a gateway to a real tenant gives none.
const token = document.querySelector('meta[name="playground-token"]')?.content;
const headers = token && JSON.stringify({ Authorization: `Bearer ${token}` }, null, 2);

// Bundled as files of their own: a worker needs a URL, and one of this origin
// keeps `blob:` out of the Content-Security-Policy.
globalThis.MonacoEnvironment = {
  getWorker: (_moduleId, label) =>
    new Worker(new URL(WORKERS[label] ?? WORKERS.editor, import.meta.url)),
};

// GraphiQL's own fetcher fails with a syntax error when something in between (a
// proxy, a refusal before GraphQL) answers with anything but JSON.
async function fetcher({ query, variables, operationName }, { headers } = {}) {
  const response = await fetch(new URL('graphql', document.baseURI), {
    method: 'POST',
    headers: {
      accept: 'application/graphql-response+json, application/json, text/event-stream',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify({ query, variables, operationName }),
  });
  if (response.ok && response.headers.get('content-type')?.startsWith('text/event-stream')) {
    return responses(response.body);
  }
  const body = await response.text();
  try {
    return JSON.parse(body);
  } catch {
    throw new Error(`${response.status} ${response.statusText}: ${body.trim() || 'no body'}`);
  }
}

// The responses to a subscription, which come as Server-Sent Events.
async function* responses(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (text + value).split('\n\n');
      text = events.pop();
      for (const event of events) {
        const lines = event.split('\n');
        if (lines.includes('event: complete')) return;
        const data = lines.filter((line) => line.startsWith('data: ')).map((line) => line.slice(6));
        if (data.length > 0) yield JSON.parse(data.join('\n'));
      }
    }
  } finally {
    await reader.cancel();
  }
}

// Many programs take turns on localhost:3000; the name keeps their tabs and ours apart.
// For the same reason headers, which may hold a bearer token, are never stored. GraphiQL's
// own switch for that, below, keeps them out of the tabs, but not out of the history.
const storage = Object.create(createLocalStorage({ namespace: 'auth0-graphql' }), {
  setItem: {
    value(key, value) {
      const isOfOperations = /:(queries|favorites|tabState)$/.test(key);
      Object.getPrototypeOf(this).setItem(key, isOfOperations ? withoutHeaders(value) : value);
    },
  },
});

const withoutHeaders = (operations) =>
  JSON.stringify(JSON.parse(operations), (key, value) => (key === 'headers' ? null : value));

createRoot(document.getElementById('playground')).render(
  <GraphiQL
    fetcher={fetcher}
    defaultTabs={OPERATIONS}
    defaultHeaders={headers}
    defaultEditorToolsVisibility="variables"
    plugins={[HISTORY_PLUGIN, explorerPlugin()]}
    storage={storage}
    shouldPersistHeaders={false}
    inputValueDeprecation
    schemaDescription
  >
    <GraphiQL.Logo>auth0-graphql</GraphiQL.Logo>
  </GraphiQL>,
);

import { explorerPlugin } from '@graphiql/plugin-explorer';
import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { createLocalStorage } from '@graphiql/toolkit';
import { GraphiQL } from 'graphiql';
import { getOperationAST } from 'graphql';
import { createClient } from 'graphql-sse';
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
    query: `# Take a userId that People found for the
# variable below. Each list is a call to Auth0.
query WholePerson($id: ID!) {
  user(id: $id) {
    name
    email
    emailVerified
    blocked
    lastLogin
    identities {
      connection
      provider
    }
    roles {
      nodes {
        name
        description
      }
    }
    permissions(perPage: 10) {
      nodes {
        name
        resourceServerName
      }
      hasNextPage
    }
    organizations {
      nodes {
        displayName
      }
    }
    authenticationMethods {
      nodes {
        type
        confirmed
      }
    }
    sessions(take: 5) {
      nodes {
        createdAt
        lastInteractedAt
        device {
          lastUserAgent
        }
      }
    }
    logs(perPage: 10) {
      nodes {
        date
        typeDescription
        ip
      }
    }
  }
}
`,
    variables: JSON.stringify({ id: 'auth0|9b50976480d60324a70bf8e4' }, null, 2),
  },
  {
    query: `# All that a filter finds, however many.
# Pass endCursor as after to go on.
query BlockedPeople($after: String) {
  usersConnection(
    first: 20
    after: $after
    direction: DESC
    filter: {
      blocked: { eq: true }
      email: { endsWith: "@example.com" }
    }
  ) {
    totalCount
    pageInfo {
      hasNextPage
      endCursor
    }
    nodes {
      userId
      name
      email
      createdAt
    }
  }
}
`,
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
  {
    query: `# Logs as they come, until you stop it.
# Add from: "LOG_ID" to go on behind a log.
subscription LiveTail {
  logs(
    filter: {
      outcome: { in: [SUCCESS, FAILURE, WARNING] }
    }
  ) {
    logId
    date
    typeDescription
    outcome
    ip
    user {
      name
      email
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

const url = new URL('graphql', document.baseURI).href;

function fetcher({ query, variables, operationName }, { headers, documentAST } = {}) {
  const request = { query, variables, operationName };
  const operation = documentAST && getOperationAST(documentAST, operationName);
  return operation?.operation === 'subscription' ? subscribe(request, headers) : ask(request, headers);
}

// GraphiQL's own fetcher fails with a syntax error when something in between (a
// proxy, a refusal before GraphQL) answers with anything but JSON.
async function ask(request, headers) {
  const response = await fetch(url, {
    method: 'POST',
    headers: {
      accept: 'application/graphql-response+json, application/json',
      'content-type': 'application/json',
      ...headers,
    },
    body: JSON.stringify(request),
  });
  const body = await response.text();
  try {
    return JSON.parse(body);
  } catch {
    throw new Error(described(response, body));
  }
}

// Not tried again by itself: it would repeat what came since its `from`.
const subscribe = (request, headers) =>
  createClient({ url, headers, retryAttempts: 0, fetchFn: fetchEvents }).iterate(request);

// The client itself would leave out what the answer says.
async function fetchEvents(...request) {
  const response = await fetch(...request);
  if (response.ok) return response;
  throw new Error(described(response, await response.text()));
}

const described = ({ status, statusText }, body) =>
  `${status} ${statusText}: ${body.trim() || 'no body'}`;

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

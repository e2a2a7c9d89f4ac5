// Holds schema.graphql to graphql-js, the reference implementation: it must be a valid
// schema, and what the gateway at GATEWAY_URL says of itself must be the same schema.

import { readFile } from 'node:fs/promises';
import {
  assertValidSchema,
  buildClientSchema,
  buildSchema,
  getIntrospectionQuery,
  lexicographicSortSchema,
  printSchema,
} from 'graphql';
import { endpoint } from './gateway.mjs';

const path = new URL('../../schema.graphql', import.meta.url);
const written = buildSchema(await readFile(path, 'utf8'));
assertValidSchema(written);
console.log('schema.graphql is a valid schema');

const url = endpoint();
const response = await fetch(url, {
  method: 'POST',
  headers: { accept: 'application/graphql-response+json', 'content-type': 'application/json' },
  body: JSON.stringify({
    // What SDL can say and the plain query does not ask for.
    query: getIntrospectionQuery({
      schemaDescription: true,
      specifiedByUrl: true,
      directiveIsRepeatable: true,
      inputValueDeprecation: true,
      oneOf: true,
    }),
  }),
});
const body = await response.text();
if (!response.ok) throw new Error(`introspection answered ${response.status}: ${body}`);
const { data, errors } = JSON.parse(body);
if (errors) throw new Error(`introspection failed: ${JSON.stringify(errors)}`);
const served = buildClientSchema(data);
assertValidSchema(served);

const [expected, actual] = [written, served].map((schema) =>
  printSchema(lexicographicSortSchema(schema)).split('\n'),
);
const differing = expected.findIndex((line, index) => line !== actual[index]);
if (differing >= 0 || expected.length !== actual.length) {
  const at = differing >= 0 ? differing : expected.length;
  const around = (lines) => lines.slice(Math.max(0, at - 3), at + 4).join('\n');
  console.error(`The served schema differs from schema.graphql, sorted, at line ${at + 1}.`);
  console.error(`\nschema.graphql:\n${around(expected)}\n\nserved:\n${around(actual)}`);
  process.exit(1);
}
console.log('The served schema is schema.graphql');

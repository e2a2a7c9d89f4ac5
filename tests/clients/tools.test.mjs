// Tools that read the schema from the gateway or from its file.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { GraphQLSchema, buildSchema, lexicographicSortSchema, printSchema } from 'graphql';
import { endpoint } from './gateway.mjs';

const url = endpoint();
const cwd = fileURLToPath(new URL('./', import.meta.url));
const run = (program, ...args) => promisify(execFile)(`node_modules/.bin/${program}`, args, { cwd });

let folder;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tools-'));
});
after(() => rm(folder, { recursive: true }));

/** The schema in one order and one form of white space, which the tool wraps, and without what it is too
 * old to know: the marks of scalars' specifications, of repeatable directives and of `@oneOf` inputs, and the description
 * of the schema itself. */
const normal = (sdl) =>
  printSchema(
    lexicographicSortSchema(new GraphQLSchema({ ...buildSchema(sdl).toConfig(), description: undefined })),
  )
    .replaceAll(/ @specifiedBy\(.*\)| @oneOf| repeatable/g, '')
    .replaceAll(/\s+/g, ' ');

test('get-graphql-schema gives the schema that is in the file', async () => {
  const { stdout } = await run('get-graphql-schema', url);
  const file = await readFile(new URL('../../schema.graphql', import.meta.url), 'utf8');
  assert.ok(normal(stdout) === normal(file), stdout);
});

test('graphql-inspector finds sound documents valid, and says what is wrong with others', async () => {
  const validate = async (document) => {
    const path = join(folder, 'document.graphql');
    await writeFile(path, document);
    return run('graphql-inspector', 'validate', path, url);
  };
  const { stdout } = await validate('query People($q: String) { users(q: $q) { nodes { userId } } }');
  assert.match(stdout, /valid/i);
  await assert.rejects(validate('query People { users { nodes { nonesuch } } }'), (error) => {
    assert.match(error.stdout + error.stderr, /Cannot query field nonesuch on type User/);
    return true;
  });
});

// GraphQL Code Generator: the client preset's types hold in strict TypeScript, and a gateway that
// runs the preset's documents and no others answers the compiled code.

import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ADA, serveOnly } from './gateway.mjs';

const folder = new URL('./', import.meta.url);
const cwd = fileURLToPath(folder);

async function run(program, ...args) {
  try {
    await promisify(execFile)(`node_modules/.bin/${program}`, args, { cwd });
  } catch ({ message, stdout }) {
    // The compiler says on standard output what is wrong.
    throw new Error(`${message}\n${stdout}`);
  }
}

let gateway;

before(async () => {
  for (const written of ['typed/gql', 'typed/built']) {
    await rm(new URL(written, folder), { recursive: true, force: true });
  }
  await run('graphql-codegen', '--config', 'codegen.ts');
  await run('tsc', '--project', '.');
  gateway = await serveOnly(`${cwd}typed/gql/persisted-documents.json`);
});

after(() => gateway?.stop());

test('the compiled code asks by id and reads what it asked for', async () => {
  const { people } = await import('./typed/built/people.js');
  const { names, total } = await people(gateway.url, `email:"${ADA}"`);
  assert.equal(names.length, Math.min(total, 2));
  assert.equal(names[0], 'Ada Brandt');
});

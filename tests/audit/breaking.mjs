// Holds schema.graphql to what clients of the last release rely on: no breaking change since. A
// release is a tag; where there is none yet, there is nothing to break. Needs no gateway.

import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

const root = new URL('../../', import.meta.url);

const git = (...args) =>
  execFileSync('git', args, { cwd: root, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** The last release, or undefined. SCHEMA_BASE names another revision to compare with. */
function release() {
  if (process.env.SCHEMA_BASE) return process.env.SCHEMA_BASE;
  try {
    if (git('tag', '--list', '--merged').trim() === '') return undefined;
  } catch ({ message }) {
    // An archive of the sources has no history.
    console.log(message.trim());
    return undefined;
  }
  return git('describe', '--tags', '--abbrev=0').trim();
}

const base = release();
if (base === undefined) {
  console.log('No release to compare schema.graphql with: skipped');
} else {
  const before = buildSchema(git('show', `${base}:schema.graphql`));
  const after = buildSchema(await readFile(new URL('schema.graphql', root), 'utf8'));
  const changes = await diff(before, after);
  for (const { criticality, message, path } of changes) {
    console.log(`${criticality.level.padEnd(13)} ${path}: ${message}`);
  }
  const breaking = changes.filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking);
  console.log(`${changes.length} changes since ${base}, ${breaking.length} of them breaking`);
  process.exitCode = breaking.length > 0 ? 1 : 0;
}

// Holds schema.graphql to what clients of the last release rely on, released.graphql: no breaking change since. Needs no gateway.

import { readFile } from 'node:fs/promises';
import { CriticalityLevel, diff } from '@graphql-inspector/core';
import { buildSchema } from 'graphql';

const read = (path) => readFile(new URL(`../../${path}`, import.meta.url), 'utf8');

const released = await read('tests/audit/released.graphql');
const [, base] = /^# The schema of version (\S+): /.exec(released) ?? [];
const [, version] = /^version = "(.+)"$/m.exec(await read('Cargo.toml'));
const versions = [...(await read('CHANGELOG.md')).matchAll(/^## (\d\S*)/gm)].map(([, name]) => name);
// One that was forgotten at a release would let through what has been added since, and taken away again.
const last = versions[versions.indexOf(version) + 1];
if (!versions.includes(version) || base !== last) {
  console.error(`released.graphql is of ${base}, and the release before ${version} is ${last} by CHANGELOG.md`);
  process.exit(1);
}

const changes = await diff(buildSchema(released), buildSchema(await read('schema.graphql')));
for (const { criticality, message, path } of changes) {
  console.log(`${criticality.level.padEnd(13)} ${path}: ${message}`);
}
const breaking = changes.filter(({ criticality }) => criticality.level === CriticalityLevel.Breaking);
console.log(`${changes.length} changes since ${base}, ${breaking.length} of them breaking`);
process.exitCode = breaking.length > 0 ? 1 : 0;

// What a `filter` finds: judged over the records themselves, from what schema.graphql says of it. No search is made of it here.
import { readFileSync } from 'node:fs';
import { isDateTime } from './coerce.mjs';
import { Num } from './json.mjs';
import { foldsCase, indexed, millisecondsOf } from './lucene.mjs';

const LOG_TYPES = JSON.parse(readFileSync(new URL('../data/log-types.json', import.meta.url), 'utf8'));
const control = /\p{Cc}/u;

const PATHS = { users: { connection: 'identities.connection', provider: 'identities.provider', neverLoggedIn: 'logins_count' }, logs: { outcome: 'type' } };
const snake = (name) => name.replace(/[A-Z]/g, (c) => `_${c.toLowerCase()}`);
/** The path in the search of what a field of a filter is about. */
export const pathOf = (kind, name) => PATHS[kind][name] ?? snake(name);
/** Negations are taken from the records that have a date. */
const DATE = { users: 'created_at', logs: 'date' };

/** Nanoseconds, so that nothing is rounded. */
function momentOf(text, fail) {
  if (!isDateTime(text)) fail('moment');
  const fraction = (/\.(\d+)/.exec(text)?.[1] ?? '').padEnd(9, '0').slice(0, 9);
  const seconds = BigInt(millisecondsOf(text.replace(/\.\d+/, ''))) / 1000n;
  const year = new Date(Number(seconds) * 1000).getUTCFullYear();
  if (year < 0 || year > 9999) fail('year');
  return seconds * 1000000000n + BigInt(fraction);
}

/**
 * A filter as a test for records; `fail` is called for what is refused. `uses` is told the fields that it names. Logs that are judged as
 * they come (`isTail`) need no date for a negation: there is no search that it would have to be taken from.
 */
export function filterOf(kind, given, fail, uses = () => {}, isTail = false) {
  // The tail has no index: it compares the texts that are there.
  const textsOf = (value) => [value].flat().flatMap((it) => (typeof it === 'string' ? it.toWellFormed() : it instanceof Num ? it.raw : []));
  const valuesOf = (rec, path) => (isTail ? textsOf(rec.json.get(path)) : indexed(kind, rec, path));
  const hasDate = (rec) => isTail || indexed(kind, rec, DATE[kind]).some((text) => millisecondsOf(text) >= 0);
  const text = (value) => (value === null ? fail('null') : value === '' || control.test(value) ? fail('text') : value);
  const entriesOf = (value) => {
    if (value === null || value === undefined) return fail('null');
    const entries = Object.entries(value);
    return entries.length === 0 ? fail('no condition') : entries;
  };
  const listOf = (value) => (value === null || value.length === 0 ? fail('an empty list') : value);
  const all = (tests) => (rec) => tests.every((test) => test(rec));

  const ofText = (path, operator, value) => {
    const fold = foldsCase(kind, path) ? (it) => it.toLowerCase() : (it) => it;
    const any = (test) => (rec) => valuesOf(rec, path).some((it) => test(fold(it)));
    if (operator === 'in') {
      const wanted = listOf(value).map((item) => fold(text(item)));
      return any((it) => wanted.includes(it));
    }
    const wanted = fold(text(value));
    if (operator === 'endsWith' && [...value].length < 3) fail('too short');
    return any((it) => (operator === 'eq' ? it === wanted : operator === 'startsWith' ? it.startsWith(wanted) : it.endsWith(wanted)));
  };

  /** Tests of one value against bounds, of which there may be one from each side. */
  const boundsOf = (entries, read) => {
    const sides = entries.flatMap(([name]) => (name === 'eq' ? ['l', 'u'] : [name[0] === 'g' ? 'l' : 'u']));
    const tests = entries.map(([name, value]) => {
      const bound = value === null ? fail('null') : read(value);
      return { eq: (it) => it === bound, gt: (it) => it > bound, gte: (it) => it >= bound, lt: (it) => it < bound, lte: (it) => it <= bound }[name];
    });
    if (new Set(sides).size < sides.length) fail('a bound twice');
    return (it) => tests.every((test) => test(it));
  };

  const ofMetadata = (root, value) => {
    const { path, ...operators } = { ...value };
    if (value === null) fail('null');
    if (!path || !path.split('.').every((part) => /^[\w-]+$/.test(part))) fail('path');
    const whole = `${root}.${path}`;
    const entries = entriesOf(operators);
    const isBound = ([name]) => /^[gl]te?$/.test(name);
    const tests = entries.filter((entry) => !isBound(entry)).map(([name, inner]) => ofText(whole, name, inner));
    const bounds = entries.filter(isBound);
    if (bounds.length > 0) {
      const within = boundsOf(bounds, (number) => number);
      tests.push((rec) => indexed(kind, rec, whole).some((it) => !Number.isNaN(Number(it)) && within(Number(it))));
    }
    return all(tests);
  };

  const ofField = (name, value) => {
    const path = pathOf(kind, name);
    uses(path);
    switch (name) {
      case 'emailVerified':
      case 'blocked': {
        const [[, wanted]] = entriesOf(value);
        if (wanted === null) fail('null');
        const isTrue = (rec) => indexed(kind, rec, path).includes('true');
        return wanted ? isTrue : (rec) => hasDate(rec) && !isTrue(rec);
      }
      case 'neverLoggedIn': {
        if (value === null) fail('null');
        const hasLoggedIn = (rec) => indexed(kind, rec, path).some((it) => Number(it) >= 1);
        return value ? (rec) => hasDate(rec) && !hasLoggedIn(rec) : hasLoggedIn;
      }
      case 'loginsCount': {
        const within = boundsOf(entriesOf(value), (number) => number);
        // Who has no count has none of them, and is among those that a negation finds.
        return (rec) => (within(0) ? hasDate(rec) && indexed(kind, rec, path).every((it) => within(Number(it))) : indexed(kind, rec, path).some((it) => within(Number(it))));
      }
      case 'date':
      case 'lastLogin':
      case 'createdAt':
      case 'updatedAt': {
        const within = boundsOf(entriesOf(value), (moment) => momentOf(text(moment), fail));
        // The index has milliseconds.
        return (rec) => indexed(kind, rec, path).some((it) => within(BigInt(millisecondsOf(it)) * 1000000n));
      }
      case 'outcome': {
        const tests = entriesOf(value).map(([operator, wanted]) => {
          const outcomes = operator === 'in' ? listOf(wanted) : [wanted ?? fail('null')];
          const holds = (rec) => {
            const types = valuesOf(rec, path);
            return outcomes.includes('OTHER') ? hasDate(rec) && types.every((it) => outcomes.includes(LOG_TYPES.outcomes[it] ?? 'OTHER')) : types.some((it) => outcomes.includes(LOG_TYPES.outcomes[it] ?? 'OTHER'));
          };
          return holds;
        });
        return all(tests);
      }
      case 'appMetadata':
      case 'userMetadata':
        return ofMetadata(path, value);
      default:
        return all(entriesOf(value).map(([operator, wanted]) => ofText(path, operator, wanted)));
    }
  };

  const of = (value) =>
    all(
      entriesOf(value).map(([name, inner]) => {
        if (name === 'and') return all(listOf(inner).map(of));
        if (name === 'or') {
          const tests = listOf(inner).map(of);
          return (rec) => tests.some((test) => test(rec));
        }
        if (name === 'not') {
          const test = of(inner);
          return (rec) => hasDate(rec) && !test(rec);
        }
        return ofField(name, inner);
      }),
    );
  return of(given);
}

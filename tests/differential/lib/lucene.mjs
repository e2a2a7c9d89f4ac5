// How the made-up tenant searches: the part of Auth0's Lucene that a search can be made of, and what its index has of a record.
// https://auth0.com/docs/manage-users/user-search/user-search-query-syntax
import { isDateTime } from './coerce.mjs';
import { Num, Obj } from './json.mjs';

/** The fields that can be searched; of metadata, everything below. */
const SEARCHABLE = {
  users: new Set('user_id email email_verified phone_number name given_name family_name nickname username identities.connection identities.provider organization_id blocked logins_count last_login last_ip created_at updated_at'.split(' ')),
  logs: new Set('client_id client_name connection connection_id date description hostname ip log_id organization_id strategy strategy_type type user_agent user_id user_name'.split(' ')),
};
/** Those of users that are compared whatever their case. */
const NORMALIZED = new Set(['email', 'name', 'given_name', 'family_name', 'nickname']);
const DATES = new Set(['created_at', 'updated_at', 'last_login', 'date']);

/** The milliseconds of a moment since 1970; null where the text is none. */
export function millisecondsOf(text) {
  if (!isDateTime(text)) return null;
  // A leap second is the beginning of the next minute.
  const isLeap = text.slice(17, 19) === '60';
  const at = Date.parse((isLeap ? `${text.slice(0, 17)}59${text.slice(19)}` : text).toUpperCase().replace(/(\.\d{3})\d+/, '$1'));
  return at + (isLeap ? 1000 : 0);
}

/** What the index has of a record at a path: lists are passed through; nothing that is null or empty is there. */
export function indexed(kind, rec, path) {
  const isOfDates = DATES.has(path);
  const out = [];
  const take = (value, rest) => {
    if (value === undefined || value === null || value === '') return;
    if (Array.isArray(value)) value.forEach((item) => take(item, rest));
    else if (value instanceof Obj) {
      if (rest.length > 0) take(value.get(rest[0]), rest.slice(1));
    } else if (rest.length > 0) return;
    else if (isOfDates) {
      if (typeof value === 'string' && isDateTime(value)) out.push(value);
    } else if (path === 'logins_count') {
      // Nobody has logged in less than never.
      if (value instanceof Num && Number(value.raw) >= 0) out.push(value.raw);
    } else out.push(value instanceof Num ? value.raw : String(value));
  };
  if (kind === 'users' && path === 'organization_id') take(rec.organizations?.map(({ json }) => (json instanceof Obj ? json.get('id') : null)), []);
  else if (kind === 'logs' && path === 'log_id') take(rec.id, []);
  else take(rec.json, path.split('.'));
  return out;
}

export const foldsCase = (kind, path) => kind === 'users' && NORMALIZED.has(path);

class Reader {
  constructor(kind, text, bare) {
    Object.assign(this, { kind, text, bare, at: 0, fields: 0 });
  }

  fail(what) {
    throw new SyntaxError(`${what} at ${this.at} of ${JSON.stringify(this.text)}`);
  }

  takes(word) {
    if (!this.text.startsWith(word, this.at)) return false;
    this.at += word.length;
    return true;
  }

  blanks() {
    const before = this.at;
    while (' \t\r\n'.includes(this.text[this.at] ?? 'x')) this.at++;
    return this.at > before;
  }

  /** Clauses of one group, up to its end: operators of both kinds in one would mean what nobody can tell. */
  clauses(end, field) {
    const clauses = [];
    let operator = null;
    this.blanks();
    for (;;) {
      const isNegated = this.takes('NOT ') || this.takes('-');
      clauses.push({ isNegated, holds: this.clause(field) });
      this.blanks();
      if (end === null ? this.at === this.text.length : this.takes(end)) break;
      const next = this.takes('AND ') ? 'AND' : (this.takes('OR '), 'OR');
      this.blanks();
      if (operator !== null && operator !== next) this.fail('both AND and OR');
      operator = next;
    }
    const positive = clauses.filter(({ isNegated }) => !isNegated).map(({ holds }) => holds);
    const negative = clauses.filter(({ isNegated }) => isNegated).map(({ holds }) => holds);
    // As Lucene has it, negations have to be taken from something.
    return (rec) => positive.length > 0 && (operator === 'AND' ? positive.every((holds) => holds(rec)) : positive.some((holds) => holds(rec))) && !negative.some((holds) => holds(rec));
  }

  clause(field) {
    if (this.takes('(')) return this.clauses(')', field);
    const exists = this.takes('_exists_:');
    const name = /^[A-Za-z_][\w-]*(\.[\w-]+)*/.exec(this.text.slice(this.at))?.[0];
    if (exists) {
      this.at += name.length;
      this.known(name);
      return (rec) => indexed(this.kind, rec, name).length > 0;
    }
    if (name !== undefined && this.text[this.at + name.length] === ':') {
      this.at += name.length + 1;
      this.known(name);
      return this.takes('(') ? this.clauses(')', name) : this.value(name);
    }
    return this.value(field);
  }

  known(name) {
    this.fields++;
    if (!SEARCHABLE[this.kind].has(name) && !(this.kind === 'users' && /^(app|user)_metadata\./.test(name))) this.fail(`unknown field ${name}`);
    return name;
  }

  value(field) {
    if (this.text[this.at] === '[' || this.text[this.at] === '{') return this.range(field);
    const fold = foldsCase(this.kind, field) ? (text) => text.toLowerCase() : (text) => text;
    const test = (wanted) => (field === null ? (rec) => this.bare(rec, wanted('', true)) : (rec) => indexed(this.kind, rec, field).some((value) => wanted(fold(value))));
    if (this.takes('"')) {
      const text = fold(this.until('"'));
      return test((value, isBare) => (isBare ? text : value === text));
    }
    const isSuffix = this.takes('*');
    const text = fold(this.term());
    const isPrefix = this.takes('*');
    if (isSuffix && isPrefix) this.fail('a wildcard at both ends');
    if (isSuffix && [...text].length < 3) this.fail('too short behind a wildcard');
    if (text === '') this.fail('no value');
    if ((isSuffix || isPrefix) && field?.startsWith('user_metadata.')) this.fail('a wildcard in user_metadata');
    return test((value, isBare) => (isBare ? text : isPrefix ? value.startsWith(text) : isSuffix ? value.endsWith(text) : value === text));
  }

  until(end) {
    let out = '';
    while (this.text[this.at] !== end) {
      if (this.at >= this.text.length) this.fail('no end');
      if (this.text[this.at] === '\\') this.at++;
      out += this.text[this.at++] ?? '';
    }
    this.at++;
    return out;
  }

  term() {
    let out = '';
    while (this.at < this.text.length && !/[\s()"*?:[\]{}~^/]/.test(this.text[this.at])) {
      if (this.text[this.at] === '\\') {
        this.at++;
        const escaped = String.fromCodePoint(this.text.codePointAt(this.at) ?? this.fail('nothing escaped'));
        // To Lucene, \u begins a code point.
        if (escaped === 'u') this.fail('an escaped letter');
        out += escaped;
        this.at += escaped.length;
      } else out += this.text[this.at++];
    }
    return out;
  }

  range(field) {
    const isFrom = this.text[this.at++] === '[';
    const match = /^(\S+) TO ([^\]}\s]+)([\]}])/.exec(this.text.slice(this.at)) ?? this.fail('no range');
    this.at += match[0].length;
    const isTo = match[3] === ']';
    if (field === null) this.fail('a range without a field');
    if (field.startsWith('user_metadata.')) this.fail('a range in user_metadata');
    const read = DATES.has(field) ? (text) => millisecondsOf(/^\d{4}-\d\d-\d\d$/.test(text) ? `${text}T00:00:00Z` : text) : field === 'log_id' ? (text) => text : (text) => (/^-?[\d.]+$/.test(text) && Number.isFinite(Number(text)) ? Number(text) : null);
    const bound = (text) => (text === '*' ? undefined : read(text) ?? this.fail(`a bound that is none: ${text}`));
    const [from, to] = [bound(match[1]), bound(match[2])];
    return (rec) =>
      indexed(this.kind, rec, field).some((text) => {
        const value = DATES.has(field) ? millisecondsOf(text) : field === 'log_id' ? text : Number(text);
        return !Number.isNaN(value) && (from === undefined || (isFrom ? value >= from : value > from)) && (to === undefined || (isTo ? value <= to : value < to));
      });
  }
}

/** A search as a test for records, and whether it names a field. `bare` judges by a term without one. Throws where the search is none of these. */
export function read(kind, text, bare) {
  const reader = new Reader(kind, text, bare);
  const holds = reader.clauses(null, null);
  return { holds, hasFields: reader.fields > 0 };
}

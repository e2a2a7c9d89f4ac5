// The disagreements that are known: only such as the gateway is right in, or free. A run fails on what is not among them.

const q = (request) => request?.query ?? '';

/** [id, who is right by the specification, in a sentence, whether a disagreement is of this kind]. */
export const KNOWN = [
  ['decimal-id', 'the gateway', 'a JSON number with a fraction or an exponent as an ID: 1.0, 1e2', (v, r) => v.kind === 'refuses' && /The variable `[^`]*` does not fit: a value of type `ID!?` is expected/.test(v.why) && /:\s*-?\d+(\.\d|[eE][-+]?\d)/.test(r?.variablesText ?? '')],
  ['zeros-in-escape', 'the gateway', '\\u{…} with more leading zeros than graphql-js reads', (v, r) => v.kind === 'accepts' && /Invalid Unicode escape sequence/.test(v.why) && /\\u\{0{5,}/.test(q(r))],
  ['other-operation-type', 'the gateway, by the draft of September 2025', 'a document with a mutation or a subscription beside the query that is run', (v) => v.kind === 'refuses' && /`(mutation|subscription)` root operation type is not defined/.test(v.why)],
  ['empty-operation-name', 'either', 'an empty operationName is as none', (v, r) => v.kind === 'accepts' && /Unknown operation named ""/.test(v.why) && r?.operationName === ''],
  ['print', 'the gateway', 'graphql-js compares arguments as printed: a block string and a string of one value differ', (v, r) => v.kind === 'accepts' && /differing arguments/.test(v.why) && (/"""/.test(q(r)) || /\\u/.test(q(r)))],
  ['exact-when-shared', 'either', 'hasNextPage is exact where another field of the operation asks the same and selects total', (v, r) => v.kind === 'data' && /got "false", expected "true"/.test(v.why) && /hasNextPage/.test(q(r))],
  ['hundred-errors', 'either', 'past a hundred errors of an operation one more says how many are left: what answers may hold is bounded', (v) => v.kind === 'paths' && /There are \d+ more errors\./.test(v.why)],
  ['double', 'the gateway', 'JavaScript rounds a JSON integer beyond 2^53', (v, r) => v.kind === 'data' && /\d{16}/.test(r?.variablesText ?? '')],
];

// STRICT=1: only what the gateway is right in, or free.
const ALLOWED = process.env.STRICT ? KNOWN.filter(([, right]) => /^(the gateway|either)/.test(right)) : KNOWN;

export const known = (verdict, request) => ALLOWED.find(([, , , matches]) => matches(verdict, request))?.[0] ?? null;

const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
const precise = new Intl.DateTimeFormat(undefined, { dateStyle: 'short', timeStyle: 'medium' });

/** A moment in the reader's own form and time zone. */
export const time = (moment?: string | null) => (moment ? format.format(new Date(moment)) : 'never');

/** The same, with seconds. */
export const preciseTime = (moment?: string | null) => (moment ? precise.format(new Date(moment)) : '');

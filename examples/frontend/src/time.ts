const format = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });

/** A moment in the reader's own form and time zone. */
export const time = (moment?: string | null) => (moment ? format.format(new Date(moment)) : 'never');

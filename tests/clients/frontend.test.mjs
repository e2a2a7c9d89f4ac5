// The example front end in a real browser. CHROMIUM names the browser; where there is none the tests are skipped.

import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { serve, skip } from './frontend.mjs';
import { ask, control } from './gateway.mjs';
import { picture } from '../browser/picture.mjs';

let site;
let page;
/** What no page of ours may do, in the order in which it was seen. */
let offences;

before(async () => {
  if (!skip) site = await serve();
});

after(() => site?.stop());

beforeEach(async () => {
  if (skip) return;
  offences = [];
  page = await site.browser.newPage({ viewport: { width: 1000, height: 600 } });
  // How long a busy machine takes is no matter.
  page.setDefaultTimeout(120_000);
  page.on('pageerror', (error) => offences.push(`uncaught: ${error}`));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) offences.push(message.text());
  });
});

afterEach(async () => {
  await page?.close();
  if (!skip) assert.deepEqual(offences, []);
});

const open = (fragment = '') => page.goto(`${site.url}${fragment}`);
const status = (text) => page.getByRole('status').and(page.getByText(text)).waitFor();
const rows = () => page.locator('tbody tr:visible');
const section = (name) => page.getByRole('region', { name });

/** Waits until the page shows one user more than `count`, or has shown all. */
const beyond = (count) => rows().nth(count).waitFor();

describe('users', { skip }, () => {
  const links = () => rows().getByRole('link').evaluateAll((links) => links.map(({ hash }) => hash));

  const total = async (filter) => {
    const { users } = await ask('query($filter: UserFilter) { users(filter: $filter, perPage: 1) { total } }', { filter });
    return users.total;
  };

  /** Scrolls down for as long as there is more. */
  async function toTheEnd() {
    const more = page.getByRole('button', { name: /More users|Loading/ });
    while (await more.count()) {
      const shown = await rows().count();
      await rows().last().scrollIntoViewIfNeeded();
      await Promise.race([beyond(shown), more.waitFor({ state: 'detached' })]);
    }
  }

  test('are walked by scrolling, each once', async () => {
    await open();
    await status('50 of 1,000 or more users');
    for (const count of [50, 100, 150]) {
      await rows().last().scrollIntoViewIfNeeded();
      await beyond(count);
    }
    const shown = await links();
    assert.equal(new Set(shown).size, shown.length);
  });

  test('are walked to the end of a filter', async () => {
    await open();
    await page.getByLabel('Show').selectOption('Blocked');
    const blocked = await total({ blocked: { eq: true } });
    await status(`of ${blocked} users`);
    await toTheEnd();
    await status(`${blocked} of ${blocked} users`);
    assert.equal(new Set(await links()).size, blocked);
  });

  test('come by a button, too, where nothing observes', async () => {
    await page.addInitScript(() => delete globalThis.IntersectionObserver);
    await open();
    await status('50 of 1,000 or more users');
    const more = page.getByRole('button', { name: 'More users' });
    for (const count of [100, 150]) {
      await more.focus();
      await page.keyboard.press('Enter');
      await status(`${count} of 1,000 or more users`);
    }
    const shown = await links();
    assert.equal(new Set(shown).size, 150);
  });

  test('fill the screen though their pages are cut short', async () => {
    await page.route('**/graphql', (route) => {
      const postData = route.request().postData().replace('first: 50', 'first: 3');
      return route.continue({ postData });
    });
    await open();
    // Nobody scrolls.
    await beyond(20);
    assert.equal(new Set(await links()).size, await rows().count());
  });

  test('go on where they were after a page that failed', async () => {
    await open();
    await status('50 of 1,000 or more users');
    await site.line.cut();
    await rows().last().scrollIntoViewIfNeeded();
    await page.getByRole('alert').getByText('The gateway does not answer').waitFor();
    await site.line.mend();
    await page.getByRole('button', { name: 'Try again' }).click();
    await beyond(50);
    assert.equal(await page.getByRole('alert').count(), 0);
    const shown = await links();
    assert.equal(new Set(shown).size, shown.length);
    // The browser reports the answer that did not come.
    offences = offences.filter((text) => !text.startsWith('Failed to load resource'));
  });

  test('are searched by what their name or address begins with, whatever it is', async () => {
    await open();
    const search = async (text) => {
      await page.getByLabel('Name or address').fill(text);
      await page.keyboard.press('Enter');
    };
    await search('ada.b');
    await status(`of ${await total({ email: { startsWith: 'ada.b' } })} users`);
    assert.ok((await rows().allInnerTexts()).every((row) => /ada\.b/.test(row)));
    await search('email:* OR "');
    await status('0 of 0 users');
    await page.goBack();
    await rows().getByRole('link', { name: 'Ada Brandt' }).first().waitFor();
    assert.equal(await page.getByLabel('Name or address').inputValue(), 'ada.b');
  });

  test('stay where they were scrolled to while one is looked at', async () => {
    await open();
    await status('50 of 1,000 or more users');
    await rows().last().scrollIntoViewIfNeeded();
    await status('100 of 1,000 or more users');
    const shown = await links();
    const scrolled = await page.evaluate(() => scrollY);
    await rows().nth(49).getByRole('link').click();
    await page.getByRole('region', { name: 'Roles' }).waitFor();
    assert.equal(await page.evaluate(() => scrollY), 0);
    await page.goBack();
    await rows().nth(99).waitFor();
    assert.deepEqual(await links(), shown);
    await page.waitForFunction((scrolled) => scrollY === scrolled, scrolled);
  });
});

describe('a user', { skip }, () => {
  const asked = async (page) => {
    const response = await page.waitForResponse((response) => /UserWithParts/.test(response.request().postData()));
    return response.json();
  };

  const address = (id) => `#${new URLSearchParams({ user: id })}`;

  /** Somebody who has a role, a session and a log. */
  async function someone() {
    const { users } = await ask(`{
      users(perPage: 5, sort: { field: CREATED_AT }) {
        nodes { id name roles { nodes { id } } sessions { nodes { id } } logs(perPage: 1) { nodes { id } } }
      }
    }`);
    return users.nodes.find((user) => [user.roles, user.sessions, user.logs].every(({ nodes }) => nodes.length > 0));
  }

  test('comes with roles, organizations, sessions and logs by one question', async () => {
    const { id, name } = await someone();
    let questions = 0;
    page.on('request', (request) => (questions += request.url().endsWith('/graphql')));
    const answer = asked(page);
    await open(address(id));
    const { user } = (await answer).data;
    await page.getByRole('heading', { name }).waitFor();
    for (const [title, { nodes }] of [
      ['Roles', user.roles],
      ['Organizations', user.organizations],
      ['Sessions', user.sessions],
    ]) {
      assert.equal(await section(title).getByRole('listitem').count(), nodes.length, title);
    }
    const ids = await rows().evaluateAll((rows) => rows.map((row) => row.dataset.id));
    assert.deepEqual(ids, user.logs.nodes.map((log) => log.id));
    assert.equal(questions, 1);
  });

  test('is shown though a part of them may not be seen', async () => {
    const { id, name } = await someone();
    const { access_token } = await control('tokens', { scope: 'read:users read:logs read:organizations' });
    await page.route('**/graphql', (route) =>
      route.continue({ headers: { ...route.request().headers(), authorization: `Bearer ${access_token}` } }),
    );
    await open(address(id));
    await page.getByRole('heading', { name }).waitFor();
    for (const [title, scope] of [
      ['Roles', 'read:roles'],
      ['Sessions', 'read:sessions'],
    ]) {
      assert.match(await section(title).getByRole('alert').innerText(), new RegExp(scope));
    }
    assert.equal(await page.getByRole('alert').count(), 2);
    assert.ok((await rows().count()) > 0);
  });

  test('who is none is said to be none', async () => {
    await open(address('auth0|none'));
    await status('There is no user with the id auth0|none.');
  });
});

describe('live', { skip }, () => {
  const row = (id) => page.locator(`[data-id="${id}"]:visible`);
  const ids = () => rows().evaluateAll((rows) => rows.map((row) => row.dataset.id));
  const make = async (count, held = 0) => (await control('logs', { count, held })).ids;
  const live = () => page.getByRole('status').and(page.getByText('Live', { exact: true })).waitFor();

  /** All logs from one on, oldest first, up to another. */
  async function between(first, last) {
    const all = [first];
    while (all.at(-1) < last) {
      const { logs } = await ask('query ($from: ID) { logs(from: $from, take: 100) { nodes { id } } }', { from: all.at(-1) });
      all.push(...logs.nodes.map(({ id }) => id));
    }
    return all.slice(0, all.indexOf(last) + 1);
  }

  /** Fails unless the page shows every log between its oldest and `last`, once and in order. */
  async function complete(last) {
    await row(last).waitFor();
    const shown = (await ids()).reverse();
    assert.deepEqual(shown.slice(0, shown.indexOf(last) + 1), await between(shown[0], last));
  }

  test('begins with recent logs, and those that come follow', async () => {
    await open('#page=live');
    await live();
    const made = await make(5);
    await complete(made.at(-1));
    assert.ok((await rows().count()) > 50);
    await picture(page, 'live');
  });

  test('shows what its filter lets through', async () => {
    await open('#page=live');
    await page.getByLabel('Outcome').selectOption('Failure');
    await page.getByLabel('Types').fill('f, fp, fu');
    await page.getByRole('button', { name: 'Search' }).click();
    await live();
    const made = await make(300);
    const { searchLogs } = await ask(
      'query ($filter: LogFilter) { searchLogs(filter: $filter, perPage: 100) { nodes { id } } }',
      { filter: { type: { in: ['f', 'fp', 'fu'] } } },
    );
    const matching = searchLogs.nodes.map(({ id }) => id).filter((id) => made.includes(id)).sort();
    assert.ok(matching.length > 0 && matching.length < made.length);
    await row(matching.at(-1)).waitFor();
    const shown = await ids();
    assert.deepEqual(shown.filter((id) => made.includes(id)).reverse(), matching);
    assert.ok((await rows().locator('code').allInnerTexts()).every((type) => ['f', 'fp', 'fu'].includes(type)));
  });

  test('loses nothing while it is paused', async () => {
    await open('#page=live');
    await live();
    await row((await make(1))[0]).waitFor();
    const ended = page.waitForEvent('requestfailed', (request) => request.url().endsWith('/graphql'));
    await page.getByRole('button', { name: 'Pause' }).click();
    await status('Paused');
    await ended;
    const made = await make(5);
    assert.equal(await row(made[0]).count(), 0);
    await page.getByRole('button', { name: 'Go on' }).click();
    await complete(made.at(-1));
  });

  test('goes on where it was after a reload', async () => {
    await open('#page=live');
    await live();
    const [before] = await make(1);
    await row(before).waitFor();
    const kept = () => page.evaluate(() => JSON.parse(sessionStorage.getItem('tail')).from);
    const last = await kept();
    await page.goto('about:blank');
    const made = await make(5);
    await open('#page=live');
    await row(made.at(-1)).waitFor();
    const shown = (await ids()).reverse();
    assert.deepEqual([last, ...shown].slice(0, shown.indexOf(made.at(-1)) + 2), await between(last, made.at(-1)));
  });

  test('goes on where it was after the connection is cut', async () => {
    await open('#page=live');
    await live();
    await row((await make(1))[0]).waitFor();
    await site.line.cut();
    await status('Next try in');
    const made = await make(5);
    await site.line.mend();
    await complete(made.at(-1));
    offences = offences.filter((text) => !text.startsWith('Failed to load resource'));
  });

  test('keeps what it has while a user is looked at', async () => {
    await open('#page=live');
    await live();
    await row((await make(1))[0]).waitFor();
    const before = (await ids()).at(-1);
    await rows().getByRole('link').first().click();
    await section('Recent logs').waitFor();
    const made = await make(5);
    await page.getByRole('link', { name: 'Back to the list' }).click();
    await complete(made.at(-1));
    assert.equal((await ids()).at(-1), before);
  });

  test('marks a log that comes late', async () => {
    await open('#page=live');
    await live();
    const [held, ...others] = await make(5, 1);
    await row(others.at(-1)).waitFor();
    assert.equal(await row(held).count(), 0);
    await control('logs/release');
    await row(held).getByText('late').waitFor();
    assert.equal(await row(others.at(-1)).getByText('late').count(), 0);
  });

  test('says where logs may be missing', async () => {
    await page.addInitScript(() => {
      const from = '90020200101000000000000000000000000001223372036854775807';
      sessionStorage.setItem('tail', JSON.stringify({ from }));
    });
    await open('#page=live');
    await page.getByRole('alert').getByText('logs after it may be missing').waitFor();
    await rows().first().waitFor();
    await page.getByRole('button', { name: 'Understood' }).click();
    await page.getByRole('alert').waitFor({ state: 'detached' });
  });

  test('keeps no more than the newest', async () => {
    await open('#page=live');
    await live();
    const made = await make(600);
    await row(made.at(-1)).waitFor();
    await page.getByText('Older ones are not kept here.').waitFor();
    assert.equal(await rows().count(), 500);
  });

  test('says why there is nothing to follow', async () => {
    await open(`#page=live&type=,`);
    await page.getByRole('alert').waitFor();
    await page.getByRole('button', { name: 'Try again' }).waitFor();
  });
});

import { join } from 'node:path';

/** Takes a picture of a page for the documents, as DIRECTORY/NAME.png, if PICTURES names a directory. */
export async function picture(page, name) {
  const directory = process.env.PICTURES;
  if (!directory) return;
  await page.setViewportSize({ width: 1200, height: 675 });
  await page.screenshot({ path: join(directory, `${name}.png`), animations: 'disabled' });
}

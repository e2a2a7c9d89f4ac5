// Bundles the playground: `node bundle.mjs DIRECTORY`.
//
// DIRECTORY then holds index.html and, for every file it leads to, NAME.br and NAME.gz.
// The names carry a hash of the content, so that the files can be cached for good.

import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { createHash } from 'node:crypto';
import { build } from 'esbuild';

const directory = process.argv[2];
if (!directory) {
  console.error('usage: node bundle.mjs DIRECTORY');
  process.exit(64);
}

// GraphiQL fetches and shows the image behind a URL that the pointer rests on. Users have
// a `picture`, mostly at a third party, and looking at a response must not call there.
const withoutImagePreview = {
  name: 'without-image-preview',
  setup({ onEnd, onLoad }) {
    let replaced = false;
    onLoad({ filter: /[\\/]@graphiql[\\/]react[\\/]dist[\\/].*image-preview\.js$/ }, () => {
      replaced = true;
      return {
        contents:
          'export const ImagePreview = Object.assign(() => null, { shouldRender: () => false });',
      };
    });
    onEnd(() => (replaced ? {} : { errors: [{ text: 'found no image preview to leave out' }] }));
  },
};

const options = {
  bundle: true,
  minify: true,
  write: false,
  metafile: true,
  outdir: directory,
  entryNames: '[name]-[hash]',
  chunkNames: '[name]-[hash]',
  assetNames: '[name]-[hash]',
  loader: { '.ttf': 'file' },
  target: 'es2022',
  // They are in the licenses file, complete.
  legalComments: 'none',
  define: { 'process.env.NODE_ENV': '"production"' },
  logLevel: 'warning',
};

/** The names of the script, and of the style sheet if there is one, made of an entry point. */
function outputOf({ metafile: { outputs } }, entryPoint) {
  const [path, { cssBundle }] = Object.entries(outputs).find(
    ([path, output]) => path.endsWith('.js') && output.entryPoint?.endsWith(entryPoint),
  );
  return { script: basename(path), style: cssBundle && basename(cssBundle) };
}

/** Name, version and license text of every package that has bytes in a bundle. */
async function licenses(bundles) {
  const packages = new Set();
  for (const { metafile } of bundles) {
    for (const { inputs } of Object.values(metafile.outputs)) {
      for (const [path, { bytesInOutput }] of Object.entries(inputs)) {
        const inPackage = /^.*node_modules\/(?:@[^/]+\/)?[^/]+/.exec(path);
        if (inPackage && bytesInOutput > 0) packages.add(inPackage[0]);
      }
    }
  }
  const notices = await Promise.all(
    [...packages].sort().map(async (path) => {
      const { name, version, license } = JSON.parse(await readFile(join(path, 'package.json')));
      const texts = (await readdir(path)).filter((file) => /^(licen[cs]e|notice)/i.test(file));
      const notice = await Promise.all(texts.map((file) => readFile(join(path, file), 'utf8')));
      return [`${name} ${version} (${license})`, ...notice.map((text) => text.trim())].join('\n\n');
    }),
  );
  return Buffer.from(`${notices.join(`\n\n${'-'.repeat(72)}\n\n`)}\n`);
}

const WORKERS = {
  editor: 'monaco-editor/esm/vs/editor/editor.worker.js',
  graphql: 'monaco-graphql/esm/graphql.worker.js',
  json: 'monaco-editor/esm/vs/language/json/json.worker.js',
};
const workers = await build({ ...options, entryPoints: Object.values(WORKERS), format: 'iife' });
const workerUrls = Object.entries(WORKERS).map(([label, entryPoint]) => [
  label,
  `./${outputOf(workers, entryPoint).script}`,
]);

const main = await build({
  ...options,
  entryPoints: ['main.jsx'],
  format: 'esm',
  // In one piece: esbuild's splitting loses the named exports of a CommonJS module that is
  // imported dynamically, as prettier's parsers are, and Monaco is needed at once anyway.
  splitting: false,
  jsx: 'automatic',
  define: { ...options.define, WORKERS: JSON.stringify(Object.fromEntries(workerUrls)) },
  plugins: [withoutImagePreview],
});
const { script, style } = outputOf(main, 'main.jsx');

const notices = await licenses([workers, main]);
const noticesHash = createHash('sha256').update(notices).digest('hex').slice(0, 8);
const noticesName = `licenses-${noticesHash.toUpperCase()}.txt`;

const assets = [...workers.outputFiles, ...main.outputFiles]
  .map(({ path, contents }) => ({ name: basename(path), contents }))
  .concat({ name: noticesName, contents: notices });

const index = `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <title>auth0-graphql</title>
    <link rel="icon" href="data:," />
    <link rel="license" href="playground/${noticesName}" />
    <link rel="stylesheet" href="playground/${style}" />
    <script type="module" src="playground/${script}"></script>
  </head>
  <body>
    <div id="playground"></div>
    <noscript>The playground needs JavaScript. POST graphql works without it.</noscript>
  </body>
</html>
`;

await mkdir(directory, { recursive: true });
await Promise.all(
  assets.flatMap(({ name, contents }) => [
    // The best quality, 11, is 8 % smaller and takes twelve times as long.
    promisify(brotliCompress)(contents, { params: { [constants.BROTLI_PARAM_QUALITY]: 9 } }).then(
      (compressed) => writeFile(join(directory, `${name}.br`), compressed),
    ),
    promisify(gzip)(contents, { level: 9 }).then((compressed) =>
      writeFile(join(directory, `${name}.gz`), compressed),
    ),
  ]),
);
await writeFile(join(directory, 'index.html'), index);

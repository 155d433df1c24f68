/** What the repository promises about itself. */
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { ConfigSchema, parseConfig } from '@gatewright/gateway';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string): string => readFileSync(resolve(ROOT, path), 'utf8');

test('the published schema is the one that configurations are checked with', () => {
  // Compared as text and shortly told: a diff of the whole schema helps nobody.
  assert.ok(
    read('docs/gatewright.schema.json') === `${JSON.stringify(ConfigSchema, null, 2)}\n`,
    'run: npx gatewright schema > docs/gatewright.schema.json',
  );
});

test('the example configuration is sound', () => {
  assert.doesNotThrow(() => parseConfig(read('examples/gatewright.yaml')));
});

test('the lockfile names every optional package, also those of other platforms', () => {
  const { packages } = JSON.parse(read('package-lock.json')) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const missing = Object.entries(packages).flatMap(([path, entry]) =>
    Object.keys(entry.optionalDependencies ?? {}).filter(
      (name) => !(`node_modules/${name}` in packages) && !(`${path}/node_modules/${name}` in packages),
    ),
  );
  // `npm ci` refuses a lockfile that lacks one, on every platform.
  assert.deepEqual(missing, []);
});

test('no package comes from a named host', () => {
  assert.equal(/"resolved": "https?:/.test(read('package-lock.json')), false);
});

test('every link between documents leads somewhere', () => {
  const broken: string[] = [];
  for (const path of globSync(['*.md', 'docs/**/*.md', 'packages/*/*.md', 'examples/*.md'], { cwd: ROOT })) {
    for (const [, target] of read(path).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^https?:|^mailto:/.test(target!)) continue;
      if (!existsSync(resolve(ROOT, dirname(path), target!))) broken.push(`${path}: ${target}`);
    }
  }
  assert.deepEqual(broken, []);
});

test('ARCHITECTURE.md stays short', () => {
  assert.ok(read('ARCHITECTURE.md').split('\n').length <= 300);
});

/** The import table of the design, checked: who may import whom, and what the kernel must not touch. */
import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/** Package -> packages of ours that its shipped code may import. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  gateway: ['kernel'],
  moe: ['kernel'],
  fleet: ['kernel'],
  bench: ['kernel', 'gateway', 'moe', 'fleet'],
  console: ['kernel'],
  cli: ['kernel', 'gateway', 'moe', 'fleet', 'bench'],
};
const NAMES: Readonly<Record<string, string>> = { gatewright: 'cli' };

interface Source {
  readonly path: string;
  readonly package: string;
  readonly text: string;
}

const sources: Source[] = globSync('packages/*/src/**/*.ts', { cwd: ROOT })
  .filter((path) => !path.endsWith('.test.ts'))
  .map((path) => ({ path, package: path.split('/')[1]!, text: readFileSync(resolve(ROOT, path), 'utf8') }));

function importsOf(text: string): string[] {
  return [
    ...withoutComments(text).matchAll(
      /(?:^|[\s;}])(?:import|export)\b[^'";]*?from\s*'([^']+)'|\bimport\s*\(?\s*'([^']+)'/g,
    ),
  ].map((match) => (match[1] ?? match[2])!);
}

function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
}

test('there is something to check', () => {
  assert.ok(sources.length > 60, `${sources.length} files`);
  for (const { package: name } of sources) assert.ok(name in MAY_IMPORT, `${name} is not in the table`);
});

test('packages import each other only as the table allows', () => {
  const wrong: string[] = [];
  for (const { path, package: from, text } of sources) {
    for (const name of importsOf(text)) {
      const own = /^@gatewright\/([^/]+)/.exec(name)?.[1] ?? NAMES[name.split('/')[0]!];
      if (own !== undefined && own !== from && !MAY_IMPORT[from]!.includes(own)) wrong.push(`${path} imports ${name}`);
      if (name.startsWith('.') && !resolve(dirname(path), name).startsWith(resolve('packages', from)))
        wrong.push(`${path} reaches into another package: ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('the kernel imports nothing and touches no platform, clock or chance', () => {
  const forbidden =
    /\bnode:|\bDate\b|\bMath\.random\b|\bfetch\s*\(|\bsetTimeout\b|\bsetInterval\b|\bprocess\.|\bperformance\.|\bconsole\.|\bcrypto\.|\bglobalThis\b/;
  const wrong: string[] = [];
  for (const { path, package: name, text } of sources) {
    if (name !== 'kernel') continue;
    const code = withoutComments(text);
    const found = forbidden.exec(code);
    if (found !== null) wrong.push(`${path}: ${found[0]}`);
    for (const imported of importsOf(text))
      if (!imported.startsWith('./') && !imported.startsWith('../')) wrong.push(`${path} imports ${imported}`);
  }
  assert.deepEqual(wrong, []);
});

test('a plug-in imports no other plug-in of its folder', () => {
  const folders: Readonly<Record<string, readonly string[]>> = {
    // Folder -> files that are not plug-ins: the interface and what several share.
    'packages/kernel/src/policies': ['policy.ts'],
    'packages/kernel/src/compositions': ['composition.ts'],
    'packages/gateway/src/providers': ['provider.ts', 'failure.ts', 'answer.ts'],
    'packages/gateway/src/stores': ['store.ts', 'trace-index.ts'],
  };
  const wrong: string[] = [];
  for (const { path, text } of sources) {
    const folder = dirname(path);
    const shared = folders[folder];
    if (shared === undefined || path.endsWith('/index.ts') || path.endsWith('/samples.ts')) continue;
    for (const name of importsOf(text)) {
      if (name.startsWith('./') && !shared.includes(name.slice(2))) wrong.push(`${path} imports ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('only the server, and the types of what it passes on, know node:http', () => {
  const users = sources
    .filter(({ package: name, text }) => name === 'gateway' && importsOf(text).includes('node:http'))
    .map(({ path, text }) => ({ path, isTypeOnly: /import type \{[^}]*\} from 'node:http'/.test(text) }));
  assert.deepEqual(
    users.filter(({ isTypeOnly }) => !isTypeOnly).map(({ path }) => path),
    ['packages/gateway/src/server.ts'],
  );
});

test('the process is ended in one place', () => {
  const users = sources
    .filter(({ package: name, text }) => name !== 'bench' && /\bprocess\.exit\b/.test(withoutComments(text)))
    .map(({ path }) => path);
  assert.deepEqual(users, ['packages/cli/src/main.ts']);
});

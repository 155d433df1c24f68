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
  /** Folders of plug-ins. A plug-in is a file that the folder's index names; the others are what plug-ins share. */
  const folders = [
    'packages/bench/src/data/importers',
    'packages/cli/src/commands',
    'packages/gateway/src/probes',
    'packages/gateway/src/providers',
    'packages/gateway/src/stores',
    'packages/kernel/src/compositions',
    'packages/kernel/src/confidence/extract',
    'packages/kernel/src/estimators',
    'packages/kernel/src/policies',
  ];
  const shared: Readonly<Record<string, readonly string[]>> = {
    // Named by the index since it is the interface, or built upon on purpose.
    'packages/gateway/src/probes': ['./probe.ts'],
    'packages/gateway/src/providers': ['./provider.ts'],
  };
  // A combinator may bring default members; whoever takes one of those away finds it here.
  const combinators = ['packages/kernel/src/estimators/stack.ts'];
  const wrong: string[] = [];
  for (const folder of folders) {
    const index = sources.find(({ path }) => path === `${folder}/index.ts`);
    assert.ok(index !== undefined, `${folder} has no index.ts`);
    const plugins = importsOf(index.text).filter((name) => !(shared[folder] ?? []).includes(name));
    assert.ok(plugins.length > 1, `${folder} has ${plugins.length} plug-ins`);
    for (const { path, text } of sources) {
      if (combinators.includes(path) || dirname(path) !== folder) continue;
      if (!plugins.includes(`./${path.slice(folder.length + 1)}`)) continue;
      for (const name of importsOf(text)) if (plugins.includes(name)) wrong.push(`${path} imports ${name}`);
    }
  }
  assert.deepEqual(wrong, []);
});

test('only the two listeners, and the types of what they pass on, know node:http', () => {
  const users = sources
    .filter(({ package: name, text }) => name === 'gateway' && importsOf(text).includes('node:http'))
    .map(({ path, text }) => ({ path, isTypeOnly: /import type \{[^}]*\} from 'node:http'/.test(text) }));
  assert.deepEqual(
    users
      .filter(({ isTypeOnly }) => !isTypeOnly)
      .map(({ path }) => path)
      .sort(),
    ['packages/gateway/src/admin/server.ts', 'packages/gateway/src/server.ts'],
  );
});

test('the process is ended in one place', () => {
  const users = sources
    .filter(({ package: name, text }) => name !== 'bench' && /\bprocess\.exit\b/.test(withoutComments(text)))
    .map(({ path }) => path);
  assert.deepEqual(users, ['packages/cli/src/main.ts']);
});

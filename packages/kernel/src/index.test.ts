import assert from 'node:assert/strict';
import { globSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

const sources = globSync('**/*.ts', { cwd: import.meta.dirname })
  .filter((file) => !file.endsWith('.test.ts'))
  .sort();

test('has its sources where this test looks', () => {
  assert.ok(sources.includes('index.ts') && sources.length > 20, `${sources.length}`);
});

for (const file of sources) {
  test(`${file} is pure: nothing from outside the kernel, no clock, no chance of its own`, () => {
    const text = readFileSync(`${import.meta.dirname}/${file}`, 'utf8');
    // What stands in comments does not run.
    const code = text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/^\s*\/\/.*$/gm, '');
    for (const [, from] of code.matchAll(/\bfrom '([^']+)'|\bimport\('([^']+)'\)/g)) {
      assert.match(from ?? '', /^\.\.?\//, 'imports its neighbours only');
    }
    for (const word of ['Date', 'Math.random', 'performance', 'fetch', 'process', 'setTimeout', 'crypto', 'console']) {
      assert.doesNotMatch(code, new RegExp(`(?<![\\w.'])${word.replace('.', '\\.')}\\b`), `uses ${word}`);
    }
  });
}

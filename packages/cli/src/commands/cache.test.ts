import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { runCommandLine } from '../run.ts';

async function run(...argv: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = [];
  const err: string[] = [];
  const code = await runCommandLine(['cache', ...argv], {
    print: (line) => out.push(line),
    note: (line) => err.push(line),
    env: {},
    stop: new AbortController().signal,
    isTerminal: false,
  });
  return { code, out: out.join('\n'), err: err.join('\n') };
}

test('gatewright cache measures the built-in pairs and its own, writes the file, and fails where the rate is too high', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-cache-'));
  try {
    const out = join(folder, 'measurement.json');
    const plain = await run('--out', out);
    assert.equal(plain.code, 0, plain.out);
    assert.match(plain.out, /^False hits: 0 of 7\d\d /m);
    const measured = JSON.parse(readFileSync(out, 'utf8'));
    assert.equal(measured.different.hits, 0);
    assert.ok(measured.falseHitUpper < 0.01);
    const pairs = join(folder, 'pairs.jsonl');
    writeFileSync(pairs, '{"a":"How do I pay?","b":"How do I pay","same":false}\n\n');
    const wrong = await run('--pairs', pairs, '--json', '--only-pairs');
    assert.equal(wrong.code, 1);
    assert.equal(JSON.parse(wrong.out).different.hits, 1);
    writeFileSync(pairs, '{"a":"x"}\n');
    const broken = await run('--pairs', pairs);
    assert.equal(broken.code, 3);
    assert.match(broken.err, /line 1/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

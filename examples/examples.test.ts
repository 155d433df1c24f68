/** Every example runs, ends by itself and says what its first lines promise. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { parseConfig } from '@gatewright/gateway';

const HERE = import.meta.dirname;
const run = promisify(execFile);

/** A line of each example's output that holds on every machine. */
const EXPECTED: Readonly<Record<string, RegExp>> = {
  'cascade-and-trace.ts': /^ {4}gate: confidence 0\.791, threshold 0\.9: escalated$/m,
  'explain-a-decision.ts': /^ {2}not tiny \(context\): about \d+ tokens do not fit into 8000$/m,
  'feedback.ts': /^In the trace: score 1 from verifier$/m,
  'openai-client.ts': /^abacus answers: .*Answer: 454$/m,
  'own-policy.ts': /^nearBest 0\.05 +\d+\.\d% +\d\.\d{7} +\d+$/m,
  'replay-a-trace.ts': /^One word changed: line 3 is altered$/m,
};

test('every example has an expected line', async () => {
  const files = (await readdir(HERE)).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));
  assert.deepEqual(files.sort(), Object.keys(EXPECTED).sort());
});

describe('examples', { concurrency: true }, () => {
  for (const [file, line] of Object.entries(EXPECTED)) {
    test(`${file} runs and ends by itself`, { timeout: 30_000 }, async () => {
      const { stdout } = await run(process.execPath, ['--disable-warning=ExperimentalWarning', `${HERE}/${file}`]);
      assert.match(stdout, line);
    });
  }
});

test('gatewright.yaml is a sound configuration', () => {
  const { modes } = parseConfig(readFileSync(`${HERE}/gatewright.yaml`, 'utf8'));
  assert.deepEqual(Object.keys(modes), ['auto', 'cascade', 'canary', 'fast', 'rehearse']);
});

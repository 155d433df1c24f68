import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { check } from './check.ts';

const FILE = `version: 1
experts:
  - id: known
    provider: { use: openai, baseUrl: https://api.openai.com/v1, model: gpt-4o-mini }
    capabilities: [tools, jsonSchema]
  - id: own
    provider: { use: openai, baseUrl: http://127.0.0.1:8000/v1, model: gpt-4o-mini }
`;

async function run(...argv: string[]): Promise<{ out: string[]; notes: string[] }> {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-check-'));
  const out: string[] = [];
  const notes: string[] = [];
  try {
    const path = join(directory, 'gatewright.yaml');
    writeFileSync(path, FILE);
    const io = { env: {}, print: (line: string) => void out.push(line), note: (line: string) => void notes.push(line) };
    assert.equal(await check.run([path, ...argv], io as unknown as Parameters<typeof check.run>[1]), 0);
  } finally {
    rmSync(directory, { recursive: true });
  }
  return { out, notes };
}

test('check shows what comes from the catalogue and its version, and warns of costs that count as 0', async () => {
  const { out, notes } = await run();
  const line = out.find((text) => text.startsWith('known'));
  assert.match(line ?? '', /openai\/gpt-4o-mini +0\.15 \/ 0\.6 +128000 +@pydantic\/genai-prices@\d/);
  assert.ok(notes.some((note) => /own has no price.*counts as 0/.test(note)));
  assert.ok(notes.some((note) => /own offers json and does not name jsonSchema/.test(note)));
});

test('check says the same as JSON', async () => {
  const { out } = await run('--json');
  const report = JSON.parse(out.join('')) as { catalog: Record<string, { model: string }>; warnings: string[] };
  assert.deepEqual(Object.keys(report.catalog), ['known']);
  assert.equal(report.catalog['known']!.model, 'openai/gpt-4o-mini');
  assert.equal(report.warnings.length, 2);
});

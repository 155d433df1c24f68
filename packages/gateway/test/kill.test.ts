/** `kill -9` at a random moment under load. The same, fifty times: `packages/bench/src/suites/kill.ts`. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { countingExpert, killRound } from './kill-round.ts';

test('killed under load, a gateway loses no settled call, no feedback, no trace, and leaks no reservation', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-'));
  const expert = await countingExpert();
  try {
    for (const [round, answers] of [23, 41, 67].entries()) {
      const report = await killRound(directory, expert, `r${round}`, answers, round !== 1);
      assert.deepEqual(report.faults, []);
      assert.ok(report.answered >= answers && report.streams > 0 && report.judged > 0);
      assert.ok(report.asked >= report.answered && report.bookedUsd >= report.chargedUsd);
    }
  } finally {
    await expert.close();
    rmSync(directory, { recursive: true, force: true });
  }
});

/** `gatewright trace` shows what was said of answers, whether it counts or not. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkConfig, createGateway, journal } from '@gatewright/gateway';
import { runCommandLine } from '../run.ts';

const directory = mkdtempSync(join(tmpdir(), 'gatewright-votes-'));
after(() => rmSync(directory, { recursive: true, force: true }));

async function run(...argv: string[]): Promise<string> {
  const out: string[] = [];
  const code = await runCommandLine(['trace', ...argv, '--store', directory], {
    print: (line) => out.push(line),
    note: (line) => out.push(line),
    env: {},
    stop: new AbortController().signal,
    isTerminal: false,
  });
  assert.equal(code, 0, out.join('\n'));
  return out.join('\n');
}

test('votes that count, votes that do not, refusals and the shadow', async () => {
  const gateway = createGateway({
    config: checkConfig({
      version: 1,
      experts: ['tiny', 'sage'].map((id) => ({ id, provider: { use: 'sandbox', expert: id, realtime: false } })),
      modes: {
        auto: {
          policy: { use: 'static' },
          shadow: { use: 'static', order: ['sage'] },
          composition: { use: 'single' },
        },
      },
    }),
    store: journal({ directory }),
    env: {},
  });
  const body = { model: 'gw/auto', messages: [{ role: 'user', content: 'What is 1 + 4?' }] } as never;
  const { done, traceId } = gateway.chat({
    request: body,
    body: Buffer.from('{}'),
    seed: 1,
    delivery: { begin() {}, chunk() {} },
  });
  await done;
  await gateway.feedback({ trace: traceId, score: 1, source: 'user', user: 'ann' });
  await gateway.feedback({ trace: traceId, score: 0, source: 'user', user: 'ann' });
  for (let i = 0; i < 3; i++) await gateway.feedback({ trace: 'none', score: 0, source: 'user' }).catch(() => {});
  await gateway.close();

  const shown = await run('show', traceId);
  assert.match(shown, /shadow static: sage first, otherwise than decided/);
  assert.match(shown, /Feedback:\n.*\n +1\.00 +user .* 1\.00 +the voter/);
  assert.match(shown, / 0\.00 +user .* refused +the voter has judged this answer before/);
  assert.deepEqual(
    (JSON.parse(await run('show', traceId, '--json')) as { feedback: { admitted: boolean }[] }).feedback.map(
      ({ admitted }) => admitted,
    ),
    [true, false],
  );

  const listed = await run('feedback');
  assert.match(listed, new RegExp(`${traceId} +0\\.00 .*refused`));
  assert.match(listed, /3 refused without a served answer: GW_TRACE_UNKNOWN/);
  const lines = (await run('feedback', '--limit', '1', '--json')).split('\n').map((line) => JSON.parse(line) as object);
  assert.equal(lines.length, 2);
  assert.deepEqual(lines[1], { refused: { GW_TRACE_UNKNOWN: 3 } });
});

/** `gatewright usage` out of the file, and `gatewright check` on what a request may cost. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { checkConfig, createGateway, memory, openBook, serve } from '@gatewright/gateway';
import { runCommandLine } from '../run.ts';

const directory = mkdtempSync(join(tmpdir(), 'gatewright-usage-'));
after(() => rmSync(directory, { recursive: true, force: true }));

async function run(...argv: string[]): Promise<{ code: number; out: string; notes: string }> {
  const out: string[] = [];
  const notes: string[] = [];
  const code = await runCommandLine(argv, {
    print: (line) => out.push(line),
    note: (line) => notes.push(line),
    env: {},
    stop: new AbortController().signal,
    isTerminal: false,
  });
  return { code, out: out.join('\n'), notes: notes.join('\n') };
}

test('sums up out of the file as the running gateway does, as a table, CSV and JSON', async () => {
  const gateway = createGateway({
    config: checkConfig({
      version: 1,
      server: { port: 0 },
      experts: ['tiny', 'sage'].map((id) => ({
        id,
        provider: { use: 'sandbox', expert: id, realtime: false },
        price: { inputUsdPerMTok: 1, outputUsdPerMTok: 1 },
      })),
    }),
    store: memory(),
    book: openBook(join(directory, 'ledger.sqlite')),
    env: {},
  });
  const server = await serve(gateway, {});
  const ask = (model: string) => {
    const body = { model, messages: [{ role: 'user', content: 'What is 1 + 4?' }] };
    return gateway.chat({
      request: body as never,
      body: Buffer.from('{}'),
      seed: 1,
      delivery: { begin() {}, chunk() {} },
    }).done;
  };
  for (const model of ['tiny', 'sage', 'sage']) await ask(model);

  after(() => server.close());
  const json = async (...more: string[]): Promise<Record<string, unknown>[]> => {
    const { code, out } = await run('usage', '--by', 'expert,kind', '--json', ...more);
    assert.equal(code, 0, out);
    return (JSON.parse(out) as { rows: Record<string, unknown>[] }).rows;
  };
  const rows = await json('--store', directory);
  assert.deepEqual(
    rows.map(({ expert, kind, requests, calls }) => [expert, kind, requests, calls]),
    [
      ['sage', 'call', 2, 2],
      ['tiny', 'call', 1, 1],
    ],
  );
  assert.deepEqual(await json('--url', server.url), rows);
  assert.equal((await json('--store', directory, '--key', 'open', '--expert', 'tiny')).length, 1);
  assert.deepEqual(await json('--url', server.url, '--key', 'other'), [], 'not its own');
  await server.close();

  const table = await run('usage', '--store', directory);
  assert.match(table.out, /^expert +requests +calls +prompt .*\nsage +2 +2 .*\ntiny +1 +1 .*\nall +3 +3 /);
  assert.match((await run('usage', '--store', directory, '--csv')).out, /^expert,requests,.*\r\nsage,2,2,/);
  assert.equal(
    (await run('usage', '--store', directory, '--from', '2020-01-01', '--to', '2020-02-01')).out,
    'Nothing was used in that time.',
  );
});

test('refuses what it cannot answer, with the fix', async () => {
  const cases: readonly [string[], RegExp][] = [
    [['--store', join(directory, 'nowhere')], /There is no ledger in .*GW_STORE_OPEN/s],
    [['--by', 'colour', '--store', directory], /group_by has "colour".*GW_REQUEST_TYPE/s],
    [['--csv', '--json'], /exclude each other/],
    [['--url', 'http://127.0.0.1:1'], /GW_UNREACHABLE/],
  ];
  for (const [argv, said] of cases) {
    const { code, notes } = await run('usage', ...argv);
    assert.notEqual(code, 0, argv.join(' '));
    assert.match(notes, said);
  }
});

test('check tells the most that one request of each mode can cost, retries among it, and where a mode stops it', async () => {
  const file = join(directory, 'gatewright.yaml');
  writeFileSync(
    file,
    JSON.stringify({
      version: 1,
      retries: { attempts: 3 },
      resilience: { continueAttempts: 0 },
      experts: [4, 1, 2].map((usd) => ({
        id: `e${usd}`,
        provider: { use: 'sandbox', expert: 'tiny' },
        price: { inputUsdPerMTok: 0, outputUsdPerMTok: usd },
        contextTokens: 1_000_000,
        maxOutputTokens: 100_000,
      })),
      modes: {
        one: { policy: { use: 'static' }, composition: { use: 'single' } },
        two: { policy: { use: 'static' }, composition: { use: 'fallback', attempts: 2 }, maxCostUsd: 0.25 },
      },
    }),
  );
  const { worstCase } = JSON.parse((await run('check', file, '--json')).out) as {
    worstCase: Record<string, { calls: number; costUsd: number; isAssumed: boolean }>;
  };
  const rounded = Object.entries(worstCase).map(([mode, { calls, costUsd }]) => [mode, calls, costUsd.toFixed(6)]);
  assert.deepEqual(rounded, [
    ['gw/one', 3, '1.200000'],
    ['gw/two', 6, '1.800000'],
  ]);
  const { out } = await run('check', file);
  assert.match(out, /gw\/one .* 3 +\$1\.20$/m);
  assert.match(out, /gw\/two .* 6 +\$0\.25 \(of \$1\.80\)$/m);
});

/** What the ledger costs a request: reserve and settle of one call, with the limits and headers of its accounts. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createLedger, GATEWAY_ITSELF, openBook } from '@gatewright/gateway';

/** Requests of one measurement, after a quarter as many to warm up. */
const REQUESTS = 8_000;
const LIMITS: (typeof GATEWAY_ITSELF)['limits'] = {
  requestsPerMinute: 1e9,
  tokensPerMinute: 1e12,
  concurrent: 1_000,
  budgets: [
    { usd: 1e6, window: 'day' },
    { usd: 1e6, window: 'month' },
  ],
};

/** CPU time of the process for each request, microseconds. */
async function measure(path: string, limited: 'none' | 'key' | 'all', atATime: number): Promise<number> {
  const ledger = createLedger(limited === 'all' ? { global: LIMITS, projects: { shop: LIMITS } } : {}, openBook(path));
  const principal = { ...GATEWAY_ITSELF, keyId: 'key_1', project: 'shop', limits: limited === 'none' ? {} : LIMITS };
  const most = { promptTokens: 30, completionTokens: 100, costUsd: 0.002 };
  const used = { costUsd: 0.001, promptTokens: 20, completionTokens: 20, status: 'ok' } as const;
  const run = async (requests: number): Promise<void> => {
    for (let n = 0; n < requests; n += atATime) {
      const open = Array.from({ length: atATime }, (_, k) => {
        const account = ledger.begin({ principal, mode: 'gw/auto', dialect: 'chat', traceId: `tr_0000000000${n + k}` });
        return { account, ticket: account.hold('expert', most, 'call') };
      });
      for (const { account, ticket } of open) {
        if ('settle' in ticket) ticket.settle(used);
        account.end();
        account.headers();
      }
      await ledger.kept();
    }
  };
  await run(REQUESTS / 4);
  const before = process.cpuUsage();
  await run(REQUESTS);
  const { user, system } = process.cpuUsage(before);
  ledger.close();
  return (user + system) / REQUESTS;
}

const folder = mkdtempSync(join(tmpdir(), 'gatewright-ledger-'));
let number = 0;
process.stdout.write('limits of             where   at a time   CPU-us a request\n');
try {
  for (const limited of ['none', 'key', 'all'] as const)
    for (const where of ['file', 'memory'] as const)
      for (const atATime of [1, 16]) {
        const path = where === 'file' ? join(folder, `${number++}.sqlite`) : ':memory:';
        const who = { none: 'nobody', key: 'the key', all: 'key, project, all' }[limited];
        const us = await measure(path, limited, atATime);
        process.stdout.write(
          `${who.padEnd(22)}${where.padEnd(8)}${String(atATime).padStart(9)}${us.toFixed(1).padStart(19)}\n`,
        );
      }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

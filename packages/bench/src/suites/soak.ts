/**
 * `npm run bench:soak`: half a million requests of every kind through one gateway: does its memory stay where it was
 * after the first tenth, does it keep no file or socket, does it warn of listeners?
 */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createChildren, freePort } from '../children.ts';
import { readMachine } from '../machine.ts';
import { createUsageReader } from '../process-usage.ts';
import { SOAK_KINDS, sendSoakRequest } from '../soak/mixed-traffic.ts';

const HELP = `npm run bench:soak -- [options]

  --requests N      requests in all (default 500000)
  --connections N   at a time (default 32)
  --minutes N       end after so long, done or not (default 25)
  --growth N        share by which memory may grow after the first tenth (default 0.1); a short run is still warming up
  --json FILE       the readings as JSON too
`;
const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url));
const READINGS = 50;
/** The reading after this share of the requests is what the end is compared with. */
const WARM_SHARE = 0.1;
/** Connections of the client and to the experts may have come and gone; a leak is of another size. */
const MOST_MORE_FILES = 40;
const SETTLE_MS = 6_000;

interface Reading {
  readonly requests: number;
  readonly rssMB: number;
  readonly files: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      requests: { type: 'string', default: '500000' },
      connections: { type: 'string', default: '32' },
      minutes: { type: 'string', default: '25' },
      growth: { type: 'string', default: '0.1' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const total = whole('--requests', values.requests, 1_000);
  const connections = whole('--connections', values.connections, 1);
  const limitMs = whole('--minutes', values.minutes, 1) * 60_000;
  const mostGrowth = Number(values.growth);
  if (!(mostGrowth >= 0)) {
    process.stderr.write(`--growth is ${values.growth}: use a number such as 0.1.\n`);
    process.exit(2);
  }
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-soak-'));
  const warnings = join(folder, 'warnings.txt');
  const children = createChildren();
  let isStopped = false;
  process.once('SIGINT', () => {
    isStopped = true;
  });
  try {
    const upstream = await children.start(process.execPath, [
      fileURLToPath(new URL('../soak/soak-upstream.ts', import.meta.url)),
    ]);
    const [, upstreamUrl] = await upstream.waitForOutput(/listening on (http:\S+)/);
    const port = await freePort();
    const configFile = join(folder, 'gatewright.yaml');
    writeFileSync(configFile, config(upstreamUrl!, port));
    const gateway = await children.start(
      process.execPath,
      [
        '--disable-warning=ExperimentalWarning',
        join(REPOSITORY, 'packages/cli/src/main.ts'),
        'serve',
        '--config',
        configFile,
      ],
      {
        cwd: folder,
        env: {
          ...process.env,
          NODE_ENV: 'production',
          GATEWRIGHT_API_KEY: undefined,
          NODE_OPTIONS: `--redirect-warnings=${warnings}`,
        },
      },
    );
    await gateway.waitForUrl(`http://127.0.0.1:${port}/healthz`);
    const readUsage = createUsageReader();
    const readings: Reading[] = [];
    const look = (requests: number): void => {
      const rssMB = (readUsage([gateway.pid])?.rssBytes ?? Number.NaN) / 1e6;
      readings.push({ requests, rssMB, files: readdirSync(`/proc/${gateway.pid}/fd`).length });
      process.stderr.write(
        `\r${requests} of ${total} requests, RSS ${rssMB.toFixed(1)} MB, ${readings.at(-1)!.files} files `,
      );
    };
    look(0);

    const agent = new Agent({ keepAlive: true, maxSockets: connections });
    const startedAt = performance.now();
    const wrong = new Map<string, number>();
    let sent = 0;
    let done = 0;
    let wrongCount = 0;
    const step = Math.max(1, Math.floor(total / READINGS));
    const work = async (): Promise<void> => {
      while (sent < total && !isStopped && performance.now() - startedAt < limitMs && gateway.ending() === undefined) {
        const serial = sent++;
        const problem = await sendSoakRequest(agent, port, SOAK_KINDS[serial % SOAK_KINDS.length]!, serial);
        if (problem !== undefined) {
          wrongCount++;
          if (wrong.size < 20 || wrong.has(problem)) wrong.set(problem, (wrong.get(problem) ?? 0) + 1);
        }
        done++;
        if (done % step === 0) look(done);
      }
    };
    await Promise.all(Array.from({ length: connections }, work));
    const seconds = (performance.now() - startedAt) / 1000;
    agent.destroy();
    await sleep(SETTLE_MS);
    look(done);
    process.stderr.write('\n');

    const warm = readings.find(({ requests }) => requests >= total * WARM_SHARE) ?? readings.at(-1)!;
    const last = readings.at(-2)!;
    const idle = readings.at(-1)!;
    const underWay = await callsUnderWay(port);
    const isWarned = existsSync(warnings) && readFileSync(warnings, 'utf8').includes('MaxListenersExceededWarning');
    const growth = last.rssMB / warm.rssMB - 1;
    const verdicts: [string, boolean][] = [
      [`all ${total} requests were sent (${done})`, done >= total],
      [`every answer was as it should be (${wrongCount} were not)`, wrongCount === 0],
      [
        `RSS at the end ${last.rssMB.toFixed(1)} MB is within ${mostGrowth * 100} % of ${warm.rssMB.toFixed(1)} MB after ${warm.requests} (${(growth * 100).toFixed(1)} %)`,
        growth <= mostGrowth,
      ],
      [
        `files open when idle: ${idle.files}, at the start ${readings[0]!.files}`,
        idle.files <= readings[0]!.files + MOST_MORE_FILES,
      ],
      [`calls under way when idle: ${underWay}`, underWay === 0],
      ['no warning of too many listeners', !isWarned],
    ];
    for (const { requests, rssMB, files } of readings)
      process.stdout.write(
        `${String(requests).padStart(8)} requests  ${rssMB.toFixed(1).padStart(7)} MB  ${files} files\n`,
      );
    process.stdout.write(`\n${done} requests in ${seconds.toFixed(0)} s (${(done / seconds).toFixed(0)}/s)\n`);
    for (const [problem, count] of wrong) process.stdout.write(`wrong ${count}x: ${problem}\n`);
    for (const [text, holds] of verdicts) process.stdout.write(`${holds ? 'holds' : 'FAILS'}  ${text}\n`);
    const { cpu, node } = readMachine();
    process.stdout.write(`${new Date().toISOString().slice(0, 10)}, ${cpu}, Node ${node}\n`);
    if (values.json !== undefined)
      writeFileSync(
        values.json,
        `${JSON.stringify({ readings, seconds, wrong: [...wrong], verdicts }, undefined, 2)}\n`,
      );
    process.exitCode = isStopped ? 130 : verdicts.every(([, holds]) => holds) ? 0 : 1;
  } finally {
    await children.stopAll();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function callsUnderWay(port: number): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${port}/v1/status`);
  const { experts } = (await response.json()) as { experts: { inFlight: number }[] };
  return experts.reduce((sum, { inFlight }) => sum + inFlight, 0);
}

function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  process.stderr.write(`${name} is ${text}: use a whole number of at least ${least}.\n`);
  process.exit(2);
}

function config(url: string, port: number): string {
  const expert = (id: string): string => `  - id: ${id}
    provider: { use: openai, baseUrl: "${url}/${id}/v1", model: mock-model }
    price: { inputUsdPerMTok: 1, outputUsdPerMTok: 2 }
`;
  const mode = (name: string, experts: string): string =>
    `  ${name}: { experts: [${experts}], policy: { use: static }, composition: { use: fallback } }\n`;
  return `version: 1
server: { host: 127.0.0.1, port: ${port} }
storage: { keepBytes: 268435456 }
experts:
${['good', 'flaky', 'breaks', 'endless'].map(expert).join('')}modes:
${mode('good', 'good')}${mode('flaky', 'flaky, good')}${mode('breaks', 'breaks')}${mode('endless', 'endless')}`;
}

await main();

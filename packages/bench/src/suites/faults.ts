/**
 * `npm run bench:faults`: what a client sees of every way in which an expert can fail, in every client format, whole and
 * streamed, at the first and at the second expert; and of a client that leaves.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createChildren } from '../children.ts';
import { type MatrixCase, type MatrixTarget, matrixCases, runMatrix } from '../faults/matrix.ts';
import { renderMatrix, type TargetResults } from '../faults/report.ts';
import { gatewrightTarget, portkeyTarget } from '../faults/targets.ts';
import { readMachine } from '../machine.ts';

const HELP = `npm run bench:faults -- [options]

  --portkey         the same cells against Portkey's gateway, where it supports them (installs it on first use)
  --only WORD       faults, forms, formats or places that hold this word
  --concurrency N   cells at a time (default 6)
  --json FILE       the results as JSON too
`;
const REPOSITORY = fileURLToPath(new URL('../../../../', import.meta.url));

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      portkey: { type: 'boolean', default: false },
      only: { type: 'string' },
      concurrency: { type: 'string', default: '6' },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const concurrency = Number(values.concurrency);
  if (!Number.isInteger(concurrency) || concurrency < 1 || concurrency > 64) {
    process.stderr.write(`--concurrency is ${values.concurrency}: use a whole number from 1 to 64.\n`);
    process.exit(2);
  }
  let isStopped = false;
  process.once('SIGINT', () => {
    isStopped = true;
    process.stderr.write('\nstopping after the cells under way\n');
  });
  const folder = mkdtempSync(join(tmpdir(), 'gatewright-faults-'));
  const children = createChildren();
  const all: TargetResults[] = [];
  const run = async (target: MatrixTarget): Promise<void> => {
    const cells = matrixCases(target.dialects)
      .filter(({ fault }) => target.unsupported?.includes(fault) !== true)
      .filter((cell) => matches(cell, values.only));
    const results = await runMatrix(target, cells, {
      concurrency,
      isStopped: () => isStopped,
      onResult: (done) => {
        if (done % 25 === 0 || done === cells.length)
          process.stderr.write(`\r${target.name}: ${done} of ${cells.length} cells `);
      },
    });
    process.stderr.write('\n');
    all.push({ target: target.name, results });
  };
  try {
    await run(gatewrightTarget());
    if (values.portkey && !isStopped) {
      const say = (text: string) => void process.stderr.write(`${text}\n`);
      const target = await portkeyTarget({ upstreamUrl: '', children, folder, repository: REPOSITORY, say });
      await run(target);
      await target.stop();
    }
  } finally {
    await children.stopAll();
    rmSync(folder, { recursive: true, force: true });
  }
  const { cpu, node } = readMachine();
  process.stdout.write(`${renderMatrix(all)}\n${new Date().toISOString().slice(0, 10)}, ${cpu}, Node ${node}\n`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(all, undefined, 2)}\n`);
  const ours = all[0]!.results;
  process.exit(isStopped ? 130 : ours.every(({ isRight }) => isRight) && ours.length > 0 ? 0 : 1);
}

function matches({ dialect, form, place, fault }: MatrixCase, word: string | undefined): boolean {
  return word === undefined || [dialect, form, place, fault].some((part) => part.includes(word));
}

await main();

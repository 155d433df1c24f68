/**
 * What a gateway that is killed under load leaves behind: in every round it is loaded, killed with SIGKILL after a random
 * number of answers, every second time without any budget (then nothing is written before a call), and its journal and ledger are compared with what clients and expert saw.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { countingExpert, type KillReport, killRound } from '@gatewright/gateway/testing';
import { seededRandom } from '@gatewright/kernel';

const HELP = `node packages/bench/src/suites/kill.ts -- [options]

  --rounds N      kills (default 50)
  --seed N        of the moments at which it is killed (default 1)
  --seconds N     no round begins after this time (default 600)
  --json          the reports as JSON lines instead of the table
`;

/** Answers before a kill: from the first ones to a journal of some segments. */
const MOST_ANSWERS = 250;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: 'string', default: '50' },
      seed: { type: 'string', default: '1' },
      seconds: { type: 'string', default: '600' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(HELP);
    return;
  }
  const [rounds, seed, seconds] = [values.rounds, values.seed, values.seconds].map(Number) as [number, number, number];
  if (![rounds, seed, seconds].every((value) => Number.isInteger(value) && value >= 0)) {
    process.stderr.write('--rounds, --seed and --seconds are whole numbers.\n');
    process.exit(2);
  }
  const random = seededRandom(seed);
  const directory = mkdtempSync(join(tmpdir(), 'gatewright-kill-'));
  const expert = await countingExpert();
  const startedMs = performance.now();
  const reports: KillReport[] = [];
  if (!values.json) process.stdout.write(`${HEAD}\n`);
  try {
    for (let round = 1; round <= rounds && performance.now() - startedMs < seconds * 1_000; round++) {
      const isLimited = round % 2 === 1;
      const report = await killRound(directory, expert, `${round}`, 1 + random.below(MOST_ANSWERS), isLimited);
      reports.push(report);
      process.stdout.write(
        `${values.json ? JSON.stringify({ round, isLimited, ...report }) : row(round, isLimited, report)}\n`,
      );
      for (const fault of report.faults.slice(0, 5)) if (!values.json) process.stdout.write(`      ${fault}\n`);
    }
  } finally {
    await expert.close();
    rmSync(directory, { recursive: true, force: true });
  }
  const sum = (of: (report: KillReport) => number): number => reports.reduce((total, report) => total + of(report), 0);
  const faults = sum((report) => report.faults.length);
  if (!values.json)
    process.stdout.write(
      `\n${reports.length} kills in ${Math.round((performance.now() - startedMs) / 1000)} s: ${sum((report) => report.answered)} whole answers (${sum((report) => report.streams)} streams), ${sum((report) => report.judged)} feedbacks, ${sum((report) => report.asked)} calls, ${sum((report) => report.lost)} booked as lost.\n${faults === 0 ? 'Nothing that a client had seen was lost, and the ledger covers what the expert charged.' : `${faults} FAULTS.`}\n`,
    );
  process.exitCode = faults === 0 && reports.length === rounds ? 0 : 1;
}

const HEAD =
  'round  budget  answers  streams  feedback  calls  lost  ledger: settled    lost    charged USD     booked USD  faults';

function row(round: number, isLimited: boolean, report: KillReport): string {
  const cells: readonly [string | number, number][] = [
    [round, 5],
    [isLimited ? 'yes' : 'no', 8],
    [report.answered, 9],
    [report.streams, 9],
    [report.judged, 10],
    [report.asked, 7],
    [report.lost, 6],
    [report.settled, 17],
    [report.lostInAll, 8],
    [report.chargedUsd.toFixed(6), 15],
    [report.bookedUsd.toFixed(6), 15],
    [report.faults.length, 8],
  ];
  return cells.map(([value, width]) => String(value).padStart(width)).join('');
}

await main();

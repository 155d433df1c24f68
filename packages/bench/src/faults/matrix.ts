/** The fault matrix: every fault in every client format, whole and streamed, at the first and at the second expert. */
import {
  type Behaviour,
  closedPort,
  FAULT_CASES,
  type FaultCase,
  GOOD_TEXT,
  type Upstream,
  upstream,
} from '@gatewright/gateway/testing';
import { type Address, type DialectName, type Observed, observe, request } from './observe.ts';

/** One cell's question. */
export interface MatrixCase {
  readonly dialect: DialectName;
  readonly form: 'json' | 'stream';
  /** Which expert has the fault. Where it is the second, the first one answers 503. */
  readonly place: 'first' | 'second';
  readonly fault: FaultCase['fault'] | 'client-leaves';
  /** How it must end. */
  readonly expected: Observed['end'] | 'upstream-aborted';
}

/** One cell's answer. */
export interface MatrixResult {
  readonly case: MatrixCase;
  readonly isRight: boolean;
  /** What was seen, in few words. */
  readonly seen: string;
}

/** A gateway under test: given two experts, where to ask so that the second answers when the first fails. */
export interface MatrixTarget {
  readonly name: string;
  readonly dialects: readonly DialectName[];
  /** Faults that it has no setting against. */
  readonly unsupported?: readonly MatrixCase['fault'][];
  /** @param experts base URLs, first choice first */
  connect(experts: readonly string[]): Promise<{ readonly address: Address; close(): Promise<void> }>;
}

/** A request that has not ended by then hangs. Above every timeout of the gateways under test. */
const LIMIT_MS = 6_000;
/** So long after its client has gone an upstream may still be asked for. */
const ABORT_MS = 2_000;

/** Every cell for these formats. */
export function matrixCases(dialects: readonly DialectName[]): MatrixCase[] {
  return dialects.flatMap((dialect) =>
    (['first', 'second'] as const).flatMap((place) => [
      ...FAULT_CASES.map(
        (row): MatrixCase => ({ dialect, form: row.form, place, fault: row.fault, expected: expectedEnd(row, place) }),
      ),
      ...(['json', 'stream'] as const).map(
        (form): MatrixCase => ({ dialect, form, place, fault: 'client-leaves', expected: 'upstream-aborted' }),
      ),
    ]),
  );
}

function expectedEnd({ next }: FaultCase, place: MatrixCase['place']): Observed['end'] {
  if (next === 'late') return 'told';
  return next === 'other' && place === 'first' ? 'answer' : 'error';
}

/** Runs one cell on upstreams of its own. */
export async function runCase(target: MatrixTarget, cell: MatrixCase): Promise<MatrixResult> {
  const isLeaving = cell.fault === 'client-leaves';
  const behaviour: Behaviour | undefined = isLeaving
    ? cell.form === 'stream'
      ? 'drip'
      : 'silent'
    : cell.fault === 'refused'
      ? undefined
      : (cell.fault as Behaviour);
  const faulty = behaviour === undefined ? undefined : await upstream(behaviour);
  const other = await upstream(cell.place === 'first' ? 'ok' : 'status503');
  const faultyUrl = faulty?.url ?? `http://127.0.0.1:${await closedPort()}/v1`;
  const experts = cell.place === 'first' ? [faultyUrl, other.url] : [other.url, faultyUrl];
  const { address, close } = await target.connect(experts);
  try {
    if (isLeaving) {
      const isAborted = await leave(cell, address, faulty!);
      return { case: cell, isRight: isAborted, seen: isAborted ? 'upstream-aborted' : 'upstream goes on' };
    }
    const { end, status } = await observe(cell.dialect, address, cell.form === 'stream', GOOD_TEXT, LIMIT_MS);
    return { case: cell, isRight: end === cell.expected, seen: `${end} ${status}` };
  } finally {
    await close();
    await faulty?.close();
    await other.close();
  }
}

/** The client goes once the upstream is at work. */
async function leave(cell: MatrixCase, address: Address, faulty: Upstream): Promise<boolean> {
  const leaving = new AbortController();
  const answer = request(cell.dialect, address, cell.form === 'stream', leaving.signal).then((response) =>
    response.text(),
  );
  answer.catch(() => {});
  await until(() => faulty.requests.length > 0 && (cell.form === 'json' || faulty.bytesSent > 500));
  leaving.abort();
  return until(() => faulty.aborted > 0);
}

async function until(isTrue: () => boolean): Promise<boolean> {
  const end = performance.now() + ABORT_MS;
  while (!isTrue()) {
    if (performance.now() > end) return false;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  return true;
}

/** Runs all cells, some at a time, and tells of each. */
export async function runMatrix(
  target: MatrixTarget,
  cells: readonly MatrixCase[],
  options: {
    readonly concurrency: number;
    readonly isStopped: () => boolean;
    readonly onResult: (done: number) => void;
  },
): Promise<MatrixResult[]> {
  const results: (MatrixResult | undefined)[] = cells.map(() => undefined);
  let next = 0;
  let done = 0;
  const work = async (): Promise<void> => {
    while (next < cells.length && !options.isStopped()) {
      const index = next++;
      results[index] = await runCase(target, cells[index]!);
      options.onResult(++done);
    }
  };
  await Promise.all(Array.from({ length: options.concurrency }, work));
  return results.flatMap((result) => (result === undefined ? [] : [result]));
}

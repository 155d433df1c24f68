/** A gateway under load is killed, and what it had told its clients is looked for in what it left: journal and ledger. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DecisionTrace } from '@gatewright/kernel';
import { ANYONE } from '../src/identity/principal.ts';
import { openBook } from '../src/money/book.ts';
import { createLedger } from '../src/money/ledger.ts';
import { journal, readJournal } from '../src/stores/journal.ts';
import { post } from './helpers.ts';
import { completionJson, DONE, event, FINISH, ROLE } from './upstream.ts';

/** An expert that counts what it was asked and what it answered. Every eleventh call fails. */
export interface CountingExpert {
  readonly url: string;
  /** Tag of a request -> its calls, in the order they came. */
  readonly calls: ReadonlyMap<string, readonly CountedCall[]>;
  close(): Promise<void>;
}

/** One call as the expert saw it. */
interface CountedCall {
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** All of the answer was handed to the socket. */
  isAnswered: boolean;
}

/** What a round came to. */
export interface KillReport {
  /** Requests whose whole answer a client had. */
  readonly answered: number;
  /** Of them, streams. */
  readonly streams: number;
  /** Feedback that was admitted. */
  readonly judged: number;
  /** Calls that had reached the expert. */
  readonly asked: number;
  /** Calls in the ledger after all limited rounds so far: settled, and booked as lost. */
  readonly settled: number;
  readonly lostInAll: number;
  /** Calls that this kill cut off. */
  readonly lost: number;
  /** Of the same: what the expert charged for calls that it answered, and what the ledger has for them and the lost ones, USD. */
  readonly chargedUsd: number;
  readonly bookedUsd: number;
  /** What does not hold, one sentence each. */
  readonly faults: readonly string[];
}

const CLIENTS = 12;
const PRICE = { promptUsd: 1 / 1_000_000, completionUsd: 2 / 1_000_000 };

/** Starts the expert that all rounds share. */
export async function countingExpert(): Promise<CountingExpert> {
  const calls = new Map<string, CountedCall[]>();
  let count = 0;
  const server: Server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('error', () => {});
    response.on('error', () => {});
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(parts).toString('utf8')) as {
        stream?: boolean;
        messages: { content: string }[];
      };
      const number = count++;
      const fails = number % 11 === 10;
      const call: CountedCall = {
        promptTokens: fails ? 0 : 8 + (number % 5),
        completionTokens: fails ? 0 : 4 + (number % 13),
        isAnswered: false,
      };
      const tag = body.messages[0]!.content;
      const known = calls.get(tag);
      if (known === undefined) calls.set(tag, [call]);
      else known.push(call);
      response.on('finish', () => {
        call.isAnswered = true;
      });
      const usage = {
        prompt_tokens: call.promptTokens,
        completion_tokens: call.completionTokens,
        total_tokens: call.promptTokens + call.completionTokens,
      };
      const answer = (): void => {
        if (fails) {
          response.writeHead(500, { 'content-type': 'application/json' });
          response.end('{"error":{"message":"now and then"}}');
        } else if (body.stream === true) {
          response.writeHead(200, { 'content-type': 'text/event-stream' });
          response.write(ROLE + event({ content: 'It is ' }));
          setTimeout(() => {
            const last = JSON.stringify({
              id: 'c',
              object: 'chat.completion.chunk',
              created: 1,
              model: 'm',
              choices: [],
              usage,
            });
            response.end(`${event({ content: 'forty-two.' })}${FINISH}data: ${last}\n\n${DONE}`);
          }, number % 4);
        } else {
          response.writeHead(200, { 'content-type': 'application/json' });
          response.end(completionJson(undefined, { usage }));
        }
      };
      setTimeout(answer, number % 7);
    });
  });
  server.listen({ port: 0, host: '127.0.0.1', backlog: 512 });
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    calls,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/**
 * One round: a gateway starts on what the rounds before left, is loaded, killed with SIGKILL after that many answers, and
 * what it left is opened again.
 *
 * @param round tells the requests of this round from those of others
 * @param answers 1 or more
 * @param isLimited whether a budget holds: then every call stands in the ledger before it is made; else soon after
 */
export async function killRound(
  directory: string,
  expert: CountingExpert,
  round: string,
  answers: number,
  isLimited: boolean,
): Promise<KillReport> {
  const child = fork(
    fileURLToPath(new URL('./money-server.ts', import.meta.url)),
    [directory, expert.url, isLimited ? 'limited' : 'unlimited'],
    {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    },
  );
  const exited = once(child, 'exit');
  const [{ url }] = (await Promise.race([
    once(child, 'message'),
    exited.then(() => Promise.reject(new Error('the gateway ended before it listened'))),
  ])) as [{ url: string }];

  /** Trace -> tag of the request. */
  const answered = new Map<string, string>();
  const judged = new Set<string>();
  let streams = 0;
  const enough = Promise.withResolvers<void>();
  const clients = Array.from({ length: CLIENTS }, async (_, client) => {
    try {
      for (let n = 0; ; n++) {
        const stream = (client + n) % 2 === 0;
        const tag = `${modeOf(isLimited)} ${round}.${client}.${n}`;
        const response = await post(`${url}/v1/chat/completions`, {
          model: modeOf(isLimited),
          messages: [{ role: 'user', content: tag }],
          max_tokens: 20,
          stream,
        });
        const trace = response.headers.get('x-gw-trace')!;
        const text = await response.text();
        const isWhole = response.ok && (stream ? text.endsWith(DONE) : JSON.parse(text).choices.length === 1);
        if (!isWhole) continue;
        answered.set(trace, tag);
        if (stream) streams++;
        if (answered.size >= answers) enough.resolve();
        if (n % 3 !== 0) continue;
        const feedback = await post(`${url}/v1/feedback`, { trace, score: 1 });
        await feedback.text();
        if (feedback.ok) judged.add(trace);
      }
    } catch {
      // The kill.
    }
  });
  await enough.promise;
  child.kill('SIGKILL');
  await exited;
  await Promise.all(clients);
  return inspect(directory, expert, `${modeOf(isLimited)} ${round}.`, { answered, judged, streams });
}

/** The mode tells the calls of limited rounds from others, in the ledger and at the expert. */
function modeOf(isLimited: boolean): string {
  return isLimited ? 'gw/first' : 'gw/alone';
}

async function inspect(
  directory: string,
  expert: CountingExpert,
  mine: string,
  seen: { answered: ReadonlyMap<string, string>; judged: ReadonlySet<string>; streams: number },
): Promise<KillReport> {
  const faults: string[] = [];
  const store = journal({ directory, segmentBytes: 262_144 });
  const traces = new Map<string, DecisionTrace>();
  const feedback = new Set<string>();
  for await (const { kind, body } of readJournal(directory)) {
    if (kind === 'trace') traces.set((body as DecisionTrace).id, body as DecisionTrace);
    else if (kind === 'feedback') feedback.add((body as { trace: string }).trace);
  }
  await store.close();
  // What a start does: whatever was under way becomes lost.
  const book = openBook(join(directory, 'ledger.sqlite'));
  const { lost } = book.stats;
  for (const [id, tag] of seen.answered) {
    const trace = traces.get(id);
    const entries = book.entriesOf(id);
    const calls = expert.calls.get(tag) ?? [];
    if (trace === undefined) faults.push(`trace ${id} is lost`);
    const open = entries.filter(({ status }) => status === 'open' || status === 'lost');
    if (entries.length !== calls.length || open.length > 0)
      faults.push(`${id}: ${calls.length} calls, ${entries.length} entries, ${open.length} of them not settled`);
    for (const what of ['promptTokens', 'completionTokens'] as const) {
      const counted = calls.reduce((sum, call) => sum + call[what], 0);
      const booked = entries.reduce((sum, entry) => sum + entry[what], 0);
      if (counted !== booked) faults.push(`${id}: the expert counts ${counted} ${what}, the ledger ${booked}`);
    }
    const costUsd = entries.reduce((sum, entry) => sum + entry.costUsd, 0);
    if (trace !== undefined && Math.abs(trace.result.costUsd - costUsd) > 1e-12)
      faults.push(`${id}: the trace says ${trace.result.costUsd} USD, the ledger ${costUsd}`);
  }
  for (const id of seen.judged) if (!feedback.has(id)) faults.push(`feedback on ${id} is lost`);

  const ever = { fromMs: 0, toMs: Number.MAX_SAFE_INTEGER, groupBy: ['status'], filter: {} } as const;
  const everythingUsd = book.usage(ever).reduce((sum, row) => sum + row.costUsd, 0);
  const all = book.usage({ ...ever, filter: { mode: [modeOf(true)] } });
  if (all.some(({ group }) => group.status === 'open')) faults.push('a reservation is open after the start');
  const settled = all.filter(({ group }) => group.status !== 'lost').reduce((sum, { calls }) => sum + calls, 0);
  const lostInAll = all.reduce((sum, { lostCalls }) => sum + lostCalls, 0);
  const bookedUsd = all.reduce((sum, row) => sum + row.costUsd, 0);
  const counted = callsOf(expert, modeOf(true));
  const chargedUsd = counted.reduce(
    (sum, { promptTokens, completionTokens, isAnswered }) =>
      sum + (isAnswered ? promptTokens * PRICE.promptUsd + completionTokens * PRICE.completionUsd : 0),
    0,
  );
  if (settled + lostInAll < counted.length)
    faults.push(
      `the expert was asked ${counted.length} times, the ledger has ${settled} settled and ${lostInAll} lost`,
    );
  if (bookedUsd < chargedUsd - 1e-12) faults.push(`the expert charged ${chargedUsd} USD, the ledger has ${bookedUsd}`);

  // The limits of the next gateway begin with all of that, and nothing reserved.
  const ledger = createLedger({ global: { budgets: [{ usd: 1_000, window: 'total' }] } }, book);
  const [limit] = ledger.limitsOf(ANYONE, undefined);
  if (Math.abs(limit!.spent - everythingUsd) > 1e-9 || limit!.reserved !== 0)
    faults.push(
      `the limits begin with ${limit!.spent} spent and ${limit!.reserved} reserved, the ledger has ${everythingUsd}`,
    );
  ledger.close();
  return {
    answered: seen.answered.size,
    streams: seen.streams,
    judged: seen.judged.size,
    asked: callsOf(expert, mine).length,
    settled,
    lostInAll,
    lost,
    chargedUsd,
    bookedUsd,
    faults,
  };
}

/** Calls of requests whose tag begins so. */
function callsOf(expert: CountingExpert, beginning: string): CountedCall[] {
  return [...expert.calls].filter(([tag]) => tag.startsWith(beginning)).flatMap(([, calls]) => calls);
}

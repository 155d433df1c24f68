/**
 * A trace holds all that a decision was made of, so it can be made again: with the same rules, or with others.
 * You will see a cascade replayed from its journal, the same calls under a lower threshold, and the chain finding one
 * changed character. Takes about two seconds; needs no key; cleans up after itself.
 *
 *     node examples/replay-a-trace.ts
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  checkConfig,
  createGateway,
  journal,
  readJournal,
  sandboxConfig,
  serve,
  verifyJournal,
} from '@gatewright/gateway';
import { compositions, type DecisionTrace, replayCalls, replayDecision } from '@gatewright/kernel';

const directory = mkdtempSync(join(tmpdir(), 'gatewright-example-'));
const config = checkConfig({ ...sandboxConfig(), server: { port: 0 } });
const server = await serve(createGateway({ config, store: journal({ directory }), env: {} }), {});
await fetch(`${server.url}/v1/chat/completions`, {
  method: 'POST',
  headers: { 'content-type': 'application/json', 'x-gw-seed': '7' },
  body: JSON.stringify({
    model: 'gw/cascade',
    messages: [{ role: 'user', content: 'What is 3141 * (59 + 26) - 535 / 5?' }],
  }),
});
await server.close();

for await (const { kind, body } of readJournal(directory)) {
  if (kind !== 'trace') continue;
  const trace = body as DecisionTrace;
  const answeredBy = (rank: number): string => trace.candidates[trace.selection.ranked[rank]!]!.expert;

  console.log(`Recorded: ${trace.result.expert} for ${trace.result.costUsd.toFixed(7)} USD`);
  const again = replayCalls(trace);
  console.log(`Replayed: ${answeredBy(again.verdict.rank)} for ${again.costUsd.toFixed(7)} USD`);
  console.log(`The order is decided again: ${replayDecision(trace).matches ? 'the same' : 'another'}`);

  const lenient = replayCalls(trace, compositions.cascade({ minConfidence: 0.8, attempts: 3 }));
  console.log(`At a threshold of 0.8: ${answeredBy(lenient.verdict.rank)} for ${lenient.costUsd.toFixed(7)} USD`);
}

const file = join(directory, 'journal-00000001.jsonl');
console.log(`\nUntouched: ${(await verifyJournal(directory)).faults.length} faults`);
writeFileSync(file, readFileSync(file, 'utf8').replace('"status":"ok"', '"status":"OK"'));
const [fault] = (await verifyJournal(directory)).faults;
console.log(`One word changed: line ${fault?.line} is ${fault?.kind}`);
rmSync(directory, { recursive: true });

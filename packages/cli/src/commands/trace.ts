import { type Feedback, type FeedbackRefusals, readJournal, verifyJournal } from '@gatewright/gateway';
import { type DecisionTrace, GatewrightError, replayCalls, replayDecision } from '@gatewright/kernel';
import { type Command, type CommandIo, EXIT, numberFlag, parse, table, usage, usd } from '../command.ts';
import { loadConfig } from '../configuration.ts';

/** `gatewright trace`: what was decided, is it untouched, would it be decided again? */
export const trace: Command = {
  name: 'trace',
  summary: 'List, show, verify and replay recorded decisions.',
  help: `Usage: gatewright trace list   [--limit N]  [--store FOLDER] [--json]
       gatewright trace show ID              [--store FOLDER] [--json]
       gatewright trace feedback [--limit N] [--store FOLDER] [--json]
       gatewright trace verify  [--head HASH] [--store FOLDER] [--json]
       gatewright trace replay [ID]          [--store FOLDER] [--json]

Works on the journal itself, whether a gateway has it open or not.

  list     the newest decisions
  show     one decision with all it was made of, and what was said of its answer
  feedback the newest votes, those that count and those that do not, and how many were refused without an answer
  verify   checks the hash chain over every byte; with --head also that it ends in (or contains) that record
  replay   decides again from the trace alone and walks the recorded calls again: same order, same answer, same cost?

Exit code 0 when all is well, 1 when a fault or a difference was found.

Example: gatewright trace verify`,

  async run(argv, io) {
    const [verb, ...rest] = argv;
    const verbs: Record<string, (argv: readonly string[], io: CommandIo) => Promise<number>> = {
      list,
      show,
      feedback,
      verify,
      replay,
    };
    const run = verb === undefined ? undefined : verbs[verb];
    if (run === undefined)
      throw usage(
        'trace',
        verb === undefined ? 'Say what to do: list, show, feedback, verify or replay.' : `There is no "trace ${verb}".`,
      );
    return run(rest, io);
  },
};

const STORE = {
  store: { type: 'string' },
  config: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

function folder(values: { store?: string | undefined; config?: string | undefined }): string {
  return values.store ?? loadConfig(values.config).config.storage.directory;
}

async function list(argv: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parse('trace', argv, { ...STORE, limit: { type: 'string' } });
  const limit = numberFlag('trace', 'limit', values.limit, 20, { min: 1, max: 100_000, whole: true });
  const newest: DecisionTrace[] = [];
  for await (const found of traces(folder(values))) {
    newest.push(found);
    if (newest.length > limit) newest.shift();
  }
  newest.reverse();
  if (values.json) for (const found of newest) io.print(JSON.stringify(found));
  else {
    for (const line of table(
      ['trace', 'time', 'model', 'answered by', 'calls', 'cost', 'ms', 'status'],
      newest.map((found) => [
        found.id,
        new Date(found.atMs).toISOString().slice(0, 19),
        found.request.model,
        found.result.expert ?? '-',
        found.calls.length,
        usd(found.result.costUsd),
        Math.round(found.result.latencyMs),
        found.result.errorCode ?? found.result.status,
      ]),
    ))
      io.print(line);
  }
  return EXIT.ok;
}

async function show(argv: readonly string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parse('trace', argv, STORE, { min: 1, max: 1 });
  const found = await find(folder(values), positionals[0]!);
  const said = await votesOf(folder(values), ({ trace: id }) => id === found.id);
  if (values.json) {
    io.print(JSON.stringify({ ...found, feedback: said.votes }));
    return EXIT.ok;
  }
  const { selection, candidates, result } = found;
  io.print(
    `${found.id}  ${new Date(found.atMs).toISOString()}  ${found.request.model}  ${found.policy.use} + ${found.composition.use}`,
  );
  io.print(
    `${result.status}${result.expert === undefined ? '' : ` by ${result.expert}`}: ${result.reason}. ${usd(result.costUsd)}, ${Math.round(result.latencyMs)} ms${result.confidence === undefined ? '' : `, confidence ${result.confidence.toFixed(3)}`}.`,
  );
  io.print('');
  io.print(`Order: ${selection.reason} (propensity ${selection.propensity.toFixed(4)}, seed ${found.seed})`);
  const terms = [...new Set(selection.terms.flatMap((entry) => Object.keys(entry)))];
  for (const line of table(
    ['', 'expert', ...terms, 'quality', 'cost', 'latency', 'load', 'price'],
    selection.ranked.map((index, place) => {
      const candidate = candidates[index]!;
      return [
        place + 1,
        candidate.expert,
        ...terms.map((term) => (selection.terms[index]?.[term] ?? 0).toFixed(3)),
        candidate.quality.toFixed(2),
        usd(candidate.costUsd),
        `${Math.round(candidate.latencyMs)} ms`,
        candidate.load.toFixed(2),
        candidate.price.toFixed(3),
      ];
    }),
  ))
    io.print(`  ${line}`);
  for (const { expert, constraint, detail } of found.removed) io.print(`  not ${expert} (${constraint}): ${detail}`);
  if (found.shadow !== undefined) {
    const { policy, selection: other, agrees } = found.shadow;
    io.print(
      `  shadow ${policy.use}: ${candidates[other.ranked[0]!]?.expert ?? '?'} first, ${agrees ? 'as decided' : 'otherwise than decided'}: ${other.reason}`,
    );
  }
  io.print('');
  io.print('Calls:');
  for (const line of table(
    ['expert', 'status', 'tokens', 'cost', 'ms', 'confidence', ''],
    found.calls.map((call) => [
      call.expert,
      call.status,
      `${call.promptTokens}+${call.completionTokens}`,
      usd(call.costUsd),
      Math.round(call.latencyMs),
      call.confidence?.toFixed(3) ?? '',
      [
        call.continues === undefined ? '' : 'continues the one that broke off',
        call.attempts === undefined ? '' : `after ${call.attempts.map(({ error }) => error.code).join(', ')}`,
        call.error === undefined ? '' : `${call.error.code}: ${call.error.message}`,
      ]
        .filter(Boolean)
        .join('; '),
    ]),
  ))
    io.print(`  ${line}`);
  if (found.hedges !== undefined)
    io.print(`  second calls: ${found.hedges.started} made, ${found.hedges.refused} refused by their budget`);
  for (const gate of found.gates)
    io.print(
      `  gate after ${found.calls.find(({ rank }) => rank === gate.rank)?.expert}: ${gate.signal} ${gate.value?.toFixed(3) ?? 'absent'} ${gate.passed ? '>=' : '<'} ${gate.threshold}: ${gate.passed ? 'trusted' : 'escalated'}`,
    );
  if (said.votes.length === 0) return EXIT.ok;
  io.print('');
  io.print('Feedback:');
  for (const line of table(['score', 'source', 'voter', 'weight', ''], said.votes.map(judgement)))
    io.print(`  ${line}`);
  return EXIT.ok;
}

async function feedback(argv: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parse('trace', argv, { ...STORE, limit: { type: 'string' } });
  const limit = numberFlag('trace', 'limit', values.limit, 20, { min: 1, max: 100_000, whole: true });
  const { votes, refused } = await votesOf(folder(values), () => true, limit);
  if (values.json) {
    for (const vote of votes.reverse()) io.print(JSON.stringify(vote));
    if (Object.keys(refused).length > 0) io.print(JSON.stringify({ refused }));
    return EXIT.ok;
  }
  for (const line of table(
    ['time', 'trace', 'score', 'source', 'voter', 'weight', 'reason'],
    votes.reverse().map((vote) => [new Date(vote.atMs).toISOString().slice(0, 19), vote.trace, ...judgement(vote)]),
  ))
    io.print(line);
  for (const [code, count] of Object.entries(refused)) io.print(`${count} refused without a served answer: ${code}`);
  return EXIT.ok;
}

/** Score, source, voter, weight and reason of a vote, as cells. */
function judgement({ score, source, voter = '', admitted = true, weight = 1, reason = '' }: Feedback): string[] {
  return [score.toFixed(2), source, voter.slice(0, 8), admitted ? weight.toFixed(2) : 'refused', reason];
}

/** The newest votes that pass, oldest first, and how many were refused before they reached an answer. */
async function votesOf(
  directory: string,
  passes: (vote: Feedback) => boolean,
  limit = Infinity,
): Promise<{ votes: Feedback[]; refused: Record<string, number> }> {
  const votes: Feedback[] = [];
  const refused: Record<string, number> = {};
  for await (const { kind, body } of readJournal(directory)) {
    if (kind === 'refusals')
      for (const [code, count] of Object.entries((body as FeedbackRefusals).counts))
        refused[code] = (refused[code] ?? 0) + count;
    if (kind !== 'feedback' || !passes(body as Feedback)) continue;
    votes.push(body as Feedback);
    if (votes.length > limit) votes.shift();
  }
  return { votes, refused };
}

async function verify(argv: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parse('trace', argv, { ...STORE, head: { type: 'string' } });
  const directory = folder(values);
  const report = await verifyJournal(directory);
  const faults = [...report.faults];
  if (values.head !== undefined && values.head !== report.head) {
    let isInside = false;
    for await (const { hash } of readJournal(directory)) if (hash === values.head) isInside = true;
    if (!isInside)
      faults.push({
        file: '-',
        line: 0,
        kind: 'missing',
        detail: `no record has the hash ${values.head}: the end of the chain was cut off or replaced`,
      });
  }
  if (values.json) io.print(JSON.stringify({ ...report, faults, status: faults.length === 0 ? 'ok' : 'faulty' }));
  else {
    io.print(
      `${report.records} records (${report.traces} traces, ${report.feedback} feedback) in ${report.segments} ${report.segments === 1 ? 'file' : 'files'}, ${report.bytes} bytes${report.isComplete ? '' : '; the oldest files were deleted by retention'}.`,
    );
    for (const fault of faults) io.print(`  ${fault.file}:${fault.line} ${fault.kind}: ${fault.detail}`);
    io.print(
      faults.length === 0
        ? `The chain holds. Head: ${report.head}`
        : `The chain does not hold: ${faults.length} ${faults.length === 1 ? 'fault' : 'faults'}.`,
    );
  }
  return faults.length === 0 ? EXIT.ok : EXIT.negative;
}

async function replay(argv: readonly string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parse('trace', argv, STORE, { max: 1 });
  const directory = folder(values);
  const ids = positionals[0] === undefined ? undefined : [(await find(directory, positionals[0])).id];
  let same = 0;
  let different = 0;
  for await (const found of traces(directory)) {
    if (ids !== undefined && !ids.includes(found.id)) continue;
    const differences = differencesOf(found);
    if (differences.length === 0) same++;
    else {
      different++;
      if (values.json) io.print(JSON.stringify({ trace: found.id, differences }));
      else io.print(`${found.id}: ${differences.join('; ')}`);
    }
  }
  if (values.json) io.print(JSON.stringify({ status: different === 0 ? 'ok' : 'different', same, different }));
  else io.print(`${same} of ${same + different} decisions replay to the same order, answer and cost.`);
  return different === 0 ? EXIT.ok : EXIT.negative;
}

/** What a replay of a trace does not give again. A cancelled request ended outside of the composition: only its order counts. */
export function differencesOf(found: DecisionTrace): string[] {
  const differences = [...replayDecision(found).differences];
  if (found.result.status === 'cancelled') return differences;
  // Nobody was called: there is nothing to walk over again.
  if (found.cache !== undefined || found.result.errorCode === 'GW_CACHE_MISS') return differences;
  const again = replayCalls(found);
  if (again.verdict.rank !== found.result.rank)
    differences.push(`answer: recorded rank ${found.result.rank}, now ${again.verdict.rank}`);
  if (again.costUsd !== found.result.costUsd)
    differences.push(`cost: recorded ${found.result.costUsd}, now ${again.costUsd}`);
  if (JSON.stringify(again.verdict.gates) !== JSON.stringify(found.gates)) differences.push('gates differ');
  return differences;
}

async function* traces(directory: string): AsyncGenerator<DecisionTrace> {
  for await (const { kind, body } of readJournal(directory)) if (kind === 'trace') yield body as DecisionTrace;
}

async function find(directory: string, id: string): Promise<DecisionTrace> {
  for await (const found of traces(directory)) if (found.id === id) return found;
  throw new GatewrightError('GW_TRACE_UNKNOWN', `There is no trace ${JSON.stringify(id)} in ${directory}.`, {
    fix: '`gatewright trace list` shows the newest.',
  });
}

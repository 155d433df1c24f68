import { families, gradeAnswer, makeTasks, solveTask, type Task } from '@gatewright/gateway/sandbox';
import { GatewrightError } from '@gatewright/kernel';
import { type Baseline, baselines } from '../baselines.ts';
import { requestUrl, sendChat } from '../client.ts';
import { type Command, type CommandIo, EXIT, numberFlag, parse, percent, table, usage, usd } from '../command.ts';

/** `gatewright sandbox`: tasks with known answers, and traffic made of them. */
export const sandbox: Command = {
  name: 'sandbox',
  summary: 'Make tasks with known answers, and send traffic made of them.',
  help: `Usage: gatewright sandbox traffic [--rps 5] [--count N] [--mode gw/auto] [--url URL] [--seed N] [--stream]
                                  [--family NAME ...] [--difficulty 0..1] [--no-feedback] [--json]
       gatewright sandbox tasks   [--count 5] [--seed N] [--family NAME ...] [--difficulty 0..1] [--json]
       gatewright sandbox solve TEXT [--json]
       gatewright sandbox families [--json]

  traffic    sends a stream of tasks to a running gateway at a fixed rate, grades the answers, gives feedback, and
             reports accuracy and cost against always-cheapest, always-strongest and the oracle on the same tasks
             (runs until --count, or Ctrl-C, which reports what there is)
  tasks      prints tasks with their answers
  solve      the answer to a text, if it is of a known family
  families   the kinds of tasks there are

Several modes at once: --mode gw/auto,gw/cascade sends every task to each of them.
With an API key, set GATEWRIGHT_API_KEY.

Example: gatewright sandbox traffic --rps 5 --count 200 --mode gw/auto,gw/cascade`,

  async run(argv, io) {
    const [verb, ...rest] = argv;
    const verbs: Record<string, (argv: readonly string[], io: CommandIo) => Promise<number>> = {
      traffic,
      tasks,
      solve,
      families: listFamilies,
    };
    const run = verb === undefined ? undefined : verbs[verb];
    if (run === undefined)
      throw usage(
        'sandbox',
        verb === undefined ? 'Say what to do: traffic, tasks, solve or families.' : `There is no "sandbox ${verb}".`,
      );
    return run(rest, io);
  },
};

const TASK_OPTIONS = {
  count: { type: 'string' },
  seed: { type: 'string' },
  family: { type: 'string', multiple: true },
  difficulty: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

/** What one mode came to. */
interface Score {
  readonly mode: string;
  answered: number;
  correct: number;
  failed: number;
  costUsd: number;
  latencyMs: number;
  escalated: number;
  readonly experts: Map<string, number>;
}

async function traffic(argv: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parse('sandbox', argv, {
    ...TASK_OPTIONS,
    rps: { type: 'string' },
    mode: { type: 'string', default: 'gw/auto' },
    url: { type: 'string' },
    stream: { type: 'boolean', default: false },
    'no-feedback': { type: 'boolean', default: false },
  });
  const requestsPerSecond = numberFlag('sandbox', 'rps', values.rps, 5, { min: 0.01, max: 1000 });
  const seed = numberFlag('sandbox', 'seed', values.seed, 1, { min: 0, max: 4294967295, whole: true });
  const count = numberFlag('sandbox', 'count', values.count, 100_000, { min: 1, max: 1_000_000, whole: true });
  const url = requestUrl(values.url, io.env);
  const modes = values.mode.split(',').filter((mode) => mode !== '');
  const stream = tasksFrom(values, seed, count);
  const scores = modes.map(
    (mode): Score => ({
      mode,
      answered: 0,
      correct: 0,
      failed: 0,
      costUsd: 0,
      latencyMs: 0,
      escalated: 0,
      experts: new Map(),
    }),
  );
  const offered = await sandboxExpertsOffered(url, io);

  io.note(
    `Sending ${requestsPerSecond} tasks a second to ${url} as ${modes.join(' and ')}${values.count === undefined ? '; Ctrl-C ends and reports' : `, ${count} in all`}.`,
  );
  const sent: { task: Task; seed: number }[] = [];
  const underWay = new Set<Promise<void>>();
  let firstFault: string | undefined;
  const startedMs = performance.now();
  let lastNoteMs = startedMs;
  for (let i = 0; i < count && !io.stop.aborted; i++) {
    // Open loop: the i-th task is due at its time, however long the answers take.
    await untilOrStopped(startedMs + (i * 1000) / requestsPerSecond, io.stop);
    if (io.stop.aborted) break;
    const task = stream[i]!;
    const taskSeed = (seed * 1_000_003 + i) % 4294967296;
    sent.push({ task, seed: taskSeed });
    for (const score of scores) {
      const request = ask(url, io, task, taskSeed, score, values.stream, !values['no-feedback']).catch(
        (error: unknown) => {
          score.failed++;
          firstFault ??= error instanceof Error ? error.message : String(error);
        },
      );
      underWay.add(request);
      void request.then(() => underWay.delete(request));
    }
    if (performance.now() - lastNoteMs > 2000) {
      lastNoteMs = performance.now();
      io.note(
        `${sent.length} sent${values.count === undefined ? '' : ` of ${count}`}: ${scores.map(progress).join(' | ')}`,
      );
    }
    if (scores.every(({ failed, answered }) => failed >= 20 && answered === 0)) {
      throw new GatewrightError('GW_UNREACHABLE', `The first 20 requests to ${url} failed: ${firstFault}.`, {
        fix: 'Start the gateway (npm start), or name it with --url.',
      });
    }
  }
  await Promise.all(underWay);
  if (firstFault !== undefined) io.note(`First failure: ${firstFault}`);
  if (scores.every(({ answered }) => answered === 0)) {
    throw new GatewrightError(
      'GW_UNREACHABLE',
      `No request to ${url} was answered: ${firstFault ?? 'none was sent'}.`,
      { fix: 'Start the gateway (npm start), or name it with --url.' },
    );
  }

  const compared = offered.length === 0 ? [] : await baselines(sent, offered);
  report(io, values.json, scores, compared, sent.length);
  return EXIT.ok;
}

async function ask(
  url: string,
  io: CommandIo,
  task: Task,
  seed: number,
  score: Score,
  stream: boolean,
  givesFeedback: boolean,
): Promise<void> {
  const startedMs = performance.now();
  const answer = await sendChat(
    url,
    io.env,
    { model: score.mode, messages: [{ role: 'user', content: task.prompt }], stream },
    { 'x-gw-seed': String(seed) },
  );
  score.answered++;
  score.latencyMs += performance.now() - startedMs;
  score.costUsd += answer.costUsd;
  score.experts.set(answer.expert, (score.experts.get(answer.expert) ?? 0) + 1);
  const isCorrect = gradeAnswer(task, answer.text);
  if (isCorrect) score.correct++;
  if (givesFeedback) await answer.feedback(isCorrect);
}

function report(
  io: CommandIo,
  asJson: boolean,
  scores: readonly Score[],
  compared: readonly Baseline[],
  tasks: number,
): void {
  if (asJson) {
    io.print(
      JSON.stringify({
        tasks,
        modes: scores.map((score) => ({
          mode: score.mode,
          answered: score.answered,
          failed: score.failed,
          accuracy: score.correct / score.answered,
          costUsd: score.costUsd,
          costPerTaskUsd: score.costUsd / score.answered,
          meanLatencyMs: score.latencyMs / score.answered,
          experts: Object.fromEntries(score.experts),
        })),
        baselines: compared,
      }),
    );
    return;
  }
  io.print('');
  for (const line of table(
    ['', 'accuracy', 'cost per task', 'mean ms', 'answered by'],
    [
      ...scores.map((score) => [
        score.mode,
        percent(score.correct / score.answered),
        usd(score.costUsd / score.answered),
        Math.round(score.latencyMs / score.answered),
        shares(score),
      ]),
      ...compared.map((baseline) => [
        baseline.name,
        percent(baseline.accuracy),
        usd(baseline.costPerTaskUsd),
        '',
        baseline.detail,
      ]),
    ],
  ))
    io.print(line);
  const failed = scores.reduce((sum, score) => sum + score.failed, 0);
  io.print('');
  io.print(
    `${tasks} tasks${failed === 0 ? '' : `, ${failed} requests failed`}.${compared.length === 0 ? ' No comparison: this gateway does not serve the sandbox.' : ' The oracle asks, for each task, the cheapest expert that gets it right.'}`,
  );
}

function shares(score: Score): string {
  return [...score.experts]
    .sort((a, b) => b[1] - a[1])
    .map(([expert, count]) => `${expert} ${percent(count / score.answered)}`)
    .join(', ');
}

function progress(score: Score): string {
  return `${score.mode} ${percent(score.correct / score.answered)} right, ${usd(score.costUsd)}${score.failed === 0 ? '' : `, ${score.failed} failed`}`;
}

async function tasks(argv: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parse('sandbox', argv, TASK_OPTIONS);
  const seed = numberFlag('sandbox', 'seed', values.seed, 1, { min: 0, max: 4294967295, whole: true });
  const count = numberFlag('sandbox', 'count', values.count, 5, { min: 1, max: 1_000_000, whole: true });
  for (const task of tasksFrom(values, seed, count)) {
    io.print(
      values.json
        ? JSON.stringify(task)
        : `${task.prompt}\n  -> ${task.answer}   (${task.family}, difficulty ${task.difficulty.toFixed(2)})`,
    );
  }
  return EXIT.ok;
}

async function solve(argv: readonly string[], io: CommandIo): Promise<number> {
  const { values, positionals } = parse(
    'sandbox',
    argv,
    { json: { type: 'boolean', default: false } },
    { min: 1, max: 1 },
  );
  const solved = solveTask(positionals[0]!);
  if (values.json)
    io.print(JSON.stringify(solved === undefined ? null : { family: solved.family.name, ...solved.solution }));
  else
    io.print(
      solved === undefined
        ? 'No family of tasks knows this text; `gatewright sandbox families` lists them.'
        : `${solved.solution.answer}   (${solved.family.name})`,
    );
  return solved === undefined ? EXIT.negative : EXIT.ok;
}

async function listFamilies(argv: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parse('sandbox', argv, { json: { type: 'boolean', default: false } });
  if (values.json)
    io.print(JSON.stringify(families.map(({ name, skill, summary, example }) => ({ name, skill, summary, example }))));
  else
    for (const line of table(
      ['family', 'skill', 'example'],
      families.map(({ name, skill, example }) => [name, skill, example]),
    ))
      io.print(line);
  return EXIT.ok;
}

function tasksFrom(
  values: { family?: string[] | undefined; difficulty?: string | undefined },
  seed: number,
  count: number,
): Task[] {
  return makeTasks({
    seed,
    count,
    ...(values.family === undefined ? {} : { families: values.family.flatMap((name) => name.split(',')) }),
    ...(values.difficulty === undefined
      ? {}
      : { difficulty: numberFlag('sandbox', 'difficulty', values.difficulty, 0, { min: 0, max: 1 }) }),
  });
}

/** Ids of the gateway's experts that are the sandbox's own: only those can be compared with. */
async function sandboxExpertsOffered(url: string, io: CommandIo): Promise<string[]> {
  const { data } = (await (await fetchModels(url, io)).json()) as { data: { id: string; owned_by: string }[] };
  return data.filter(({ owned_by }) => owned_by === 'sandbox').map(({ id }) => id);
}

async function fetchModels(url: string, io: CommandIo): Promise<Response> {
  const key = io.env['GATEWRIGHT_API_KEY']?.split(',')[0];
  let response: Response;
  try {
    response = await fetch(
      `${url}/v1/models`,
      key === undefined ? {} : { headers: { authorization: `Bearer ${key}` } },
    );
  } catch (cause) {
    throw new GatewrightError('GW_UNREACHABLE', `There is no gateway at ${url}.`, {
      fix: 'Start it (npm start), or name it with --url.',
      cause,
    });
  }
  if (!response.ok)
    throw new GatewrightError('GW_UNREACHABLE', `${url} answers ${response.status}.`, {
      fix: response.status === 401 ? 'Set GATEWRIGHT_API_KEY.' : 'Is it a Gatewright gateway? Name another with --url.',
    });
  return response;
}

function untilOrStopped(dueMs: number, stop: AbortSignal): Promise<void> {
  const waitMs = dueMs - performance.now();
  if (waitMs <= 0) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, waitMs);
    stop.addEventListener('abort', done);
  });
}

import { renameSync, writeFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { readTables } from '@gatewright/bench';
import { estimatorOf, featurizer, keptUserText, skillByKeywords, stateHash } from '@gatewright/gateway';
import {
  type Declared,
  type Estimator,
  type Example,
  GatewrightError,
  hashText,
  metrics,
  type Spec,
} from '@gatewright/kernel';
import { stringify } from 'yaml';
import { type Command, type CommandIo, EXIT, parse, percent, table, usage } from '../command.ts';
import { type LoadedConfig, loadConfig } from '../configuration.ts';
import { judgedTraces } from '../judged-traces.ts';
import { progressBar } from '../progress.ts';

/** `gatewright train`: what an estimator knows before the first request. */
export const train: Command = {
  name: 'train',
  summary: 'Train an estimator on recorded outcomes or on judged traces.',
  help: `Usage: gatewright train --data PATH [--source NAME] [--format NAME] [options]
       gatewright train --traces FOLDER [options]

Teaches an estimator of the configuration which expert answers what, from recorded outcomes (--data: what
"gatewright bench routing" reads) or from the gateway's own traces with feedback (--traces; needs storage.bodies).
A fifth of the questions is held out, to say whether it predicts better than each expert's mean; then all is used.

  --config FILE      configuration; default gatewright.yaml, else the sandbox
  --estimator NAME   which one under estimators; default the only one
  --map ID=NAME,...  expert of the configuration = name in the data; default the same name
  --out FILE         where the state goes; default NAME.state.json. Name it in the configuration: state: FILE
  --dry-run          say how well it predicts, write nothing
  --json             the report as JSON

Example: gatewright train --data outcomes/ --map small=gpt-4o-mini,large=gpt-4o --out router.state.json`,

  async run(argv, io) {
    const { values } = parse('train', argv, {
      data: { type: 'string' },
      source: { type: 'string' },
      format: { type: 'string', default: 'auto' },
      traces: { type: 'string' },
      config: { type: 'string' },
      estimator: { type: 'string' },
      map: { type: 'string' },
      out: { type: 'string' },
      'dry-run': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
    });
    if ((values.data === undefined) === (values.traces === undefined))
      throw usage('train', 'Say what to learn from: --data or --traces, one of them.');
    const loaded = loadConfig(values.config);
    const { name, spec } = estimatorNamed(loaded, values.estimator);
    const declared: Declared = Object.fromEntries(
      loaded.config.experts.map(({ id, quality }) => [id, quality as { default: number }]),
    );
    const experts = loaded.config.experts.map(({ id }) => id);
    const examples =
      values.data === undefined
        ? await fromTraces(values.traces!, experts)
        : await fromData(values.data, values.format, values.source, namesOf(values.map, experts), loaded.config.skills);
    if (io.stop.aborted) return EXIT.negative;

    const make = (): Estimator => estimatorOf(spec, declared, `estimators.${name}`);
    const held = examples.filter(isHeldOut);
    const rest = examples.filter((example) => !isHeldOut(example));
    const trial = make();
    if (!(await runFit(trial, rest, io, 'measuring'))) return stopped(io);
    const quality = measure(trial, rest, held, experts);
    const estimator = make();
    if (!(await runFit(estimator, examples, io, 'training'))) return stopped(io);

    const state = estimator.snapshot();
    const out = values.out ?? `${name}.state.json`;
    const content = { version: 1, name, spec, examples: examples.length, stateId: stateHash(state), state };
    if (!values['dry-run']) {
      // Beside and renamed: a kill leaves the old file or the new one.
      writeFileSync(`${out}.tmp`, `${JSON.stringify(content)}\n`);
      renameSync(`${out}.tmp`, out);
    }
    report(
      io,
      values.json,
      { name, spec, examples: examples.length, heldOut: held.length, quality },
      values['dry-run'] ? undefined : out,
    );
    return EXIT.ok;
  },
};

/** How well one expert's answers are predicted on the questions held out. */
interface Quality {
  readonly expert: string;
  readonly answers: number;
  readonly meanScore: number;
  /** Mean squared error of the predictions, and of always saying the expert's mean. */
  readonly brier: number;
  readonly brierOfMean: number;
  readonly auroc: number;
}

function estimatorNamed({ config, path }: LoadedConfig, wanted: string | undefined): { name: string; spec: Spec } {
  const names = Object.keys(config.estimators);
  const name = wanted ?? (names.length === 1 ? names[0]! : undefined);
  if (name === undefined || !names.includes(name))
    throw new GatewrightError(
      'GW_UNKNOWN_NAME',
      wanted === undefined
        ? `${path ?? 'The sandbox'} has ${names.length} estimators${names.length === 0 ? '' : `: ${names.join(', ')}`}.`
        : `There is no estimator ${JSON.stringify(wanted)}.`,
      {
        fix:
          names.length === 0
            ? 'Declare one: estimators: { learned: { use: anchored, of: { use: logistic } } }.'
            : `Name one with --estimator: ${names.join(', ')}.`,
      },
    );
  const { state: _, ...spec } = config.estimators[name]!;
  return { name, spec: spec as Spec };
}

/** Name in the data -> expert of the configuration. */
function namesOf(map: string | undefined, experts: readonly string[]): ReadonlyMap<string, string> {
  const names = new Map(experts.map((id) => [id, id]));
  for (const pair of map?.split(',') ?? []) {
    const at = pair.indexOf('=');
    const id = pair.slice(0, at).trim();
    if (at < 1 || !experts.includes(id))
      throw usage(
        'train',
        `--map has ${JSON.stringify(pair)}; write ID=NAME with an expert of the configuration (${experts.join(', ')}).`,
      );
    names.set(pair.slice(at + 1).trim(), id);
  }
  return names;
}

async function fromData(
  path: string,
  format: string,
  source: string | undefined,
  names: ReadonlyMap<string, string>,
  skills: LoadedConfig['config']['skills'],
): Promise<Example[]> {
  // As the gateway will name the task of such a text: what was learned under another name would never be asked for.
  const skillOf = skillByKeywords(skills);
  const { tables } = await readTables(path, format);
  const known = tables.map((entry) => entry.source);
  const chosen = tables.filter((entry) => source === undefined || entry.source === source);
  if (chosen.length === 0)
    throw new GatewrightError('GW_UNKNOWN_NAME', `There is no source ${JSON.stringify(source)} in ${path}.`, {
      fix: `Known: ${known.join(', ')}.`,
    });
  const featuresOf = featurizer();
  const examples: Example[] = [];
  for (const { prompts, experts, scores, inputTokens } of chosen) {
    prompts.forEach(({ text, benchmark, group }, row) => {
      const found: Record<string, number> = {};
      let promptTokens = Math.ceil(text.length / 4);
      experts.forEach((expert, column) => {
        const id = names.get(expert);
        const score = scores[row * experts.length + column]!;
        if (id === undefined || Number.isNaN(score)) return;
        found[id] = score;
        const tokens = inputTokens[row * experts.length + column]!;
        if (tokens > 0) promptTokens = tokens;
      });
      if (Object.keys(found).length > 0)
        examples.push({
          features: featuresOf(text, {
            task: Object.hasOwn(skills, benchmark) ? benchmark : skillOf(text),
            promptTokens,
          }),
          scores: found,
          group,
          domain: benchmark,
        });
    });
  }
  if (examples.length === 0)
    throw new GatewrightError(
      'GW_ESTIMATOR_DATA',
      `No expert of the configuration has an outcome in ${path}: it is about ${[...new Set(chosen.flatMap((entry) => entry.experts))].slice(0, 8).join(', ')}.`,
      { fix: 'Say who is who: --map ID=NAME,ID=NAME.' },
    );
  return examples;
}

/** Votes count as they were admitted and weighed: what the live router did not believe is not learned from here either. */
async function fromTraces(place: string, experts: readonly string[]): Promise<Example[]> {
  const featuresOf = featurizer();
  const examples: Example[] = [];
  let judged = 0;
  for await (const { trace, reward, request } of judgedTraces(place, 'feedback')) {
    const { expert } = trace.result;
    if (reward === undefined || expert === undefined) continue;
    judged++;
    if (request === undefined || !experts.includes(expert)) continue;
    const { skill, promptTokens } = trace.request;
    const text = keptUserText(request);
    const features = featuresOf(text, { task: skill, promptTokens });
    examples.push({ features, scores: { [expert]: reward }, group: text });
  }
  if (examples.length === 0)
    throw new GatewrightError(
      'GW_ESTIMATOR_DATA',
      `${place} has no judged answer whose text was kept (${judged} traces with feedback).`,
      { fix: 'Serve with storage.bodies: true and send feedback, or train on recorded outcomes with --data.' },
    );
  return examples;
}

/** A fifth of the groups, by their name: the same ones each time. */
function isHeldOut({ group }: Example): boolean {
  return hashText(`held out ${group}`) % 5 === 0;
}

/** False if it was stopped. Between its steps Ctrl-C is heard. */
async function runFit(
  estimator: Estimator,
  examples: readonly Example[],
  io: CommandIo,
  what: string,
): Promise<boolean> {
  const bar = progressBar(io, what);
  if (io.stop.aborted) return false;
  for (const { done, total } of estimator.fit(examples)) {
    bar.at(done, total);
    await setImmediate();
    if (io.stop.aborted) {
      bar.end();
      return false;
    }
  }
  bar.end();
  return true;
}

function stopped(io: CommandIo): number {
  io.note('Stopped: nothing was written.');
  return EXIT.negative;
}

function measure(
  estimator: Estimator,
  rest: readonly Example[],
  held: readonly Example[],
  experts: readonly string[],
): Quality[] {
  const means = new Map(
    experts.map((expert) => {
      const scores = rest.flatMap(({ scores: known }) => (expert in known ? [known[expert]!] : []));
      return [expert, scores.length === 0 ? 0.5 : scores.reduce((sum, score) => sum + score, 0) / scores.length];
    }),
  );
  const rows = experts.map((expert) => ({ expert, predicted: [] as number[], actual: [] as number[] }));
  for (const { features, scores } of held) {
    const estimates = estimator.predict(features, experts);
    rows.forEach((row, index) => {
      const score = scores[row.expert];
      if (score === undefined) return;
      row.predicted.push(estimates[index]!.value);
      row.actual.push(score);
    });
  }
  return rows
    .filter(({ actual }) => actual.length > 0)
    .map(({ expert, predicted, actual }) => ({
      expert,
      answers: actual.length,
      meanScore: actual.reduce((sum, score) => sum + score, 0) / actual.length,
      brier: meanSquare(predicted, actual),
      brierOfMean: meanSquare(
        actual.map(() => means.get(expert)!),
        actual,
      ),
      auroc: metrics.auroc(
        Float64Array.from(predicted),
        Float64Array.from(actual, (score) => (score >= 0.5 ? 1 : 0)),
      ),
    }));
}

function meanSquare(predicted: readonly number[], actual: readonly number[]): number {
  return predicted.reduce((sum, value, index) => sum + (value - actual[index]!) ** 2, 0) / predicted.length;
}

function report(
  io: CommandIo,
  asJson: boolean,
  result: { name: string; spec: Spec; examples: number; heldOut: number; quality: readonly Quality[] },
  out: string | undefined,
): void {
  if (asJson) {
    io.print(JSON.stringify({ ...result, ...(out === undefined ? {} : { state: out }) }));
    return;
  }
  io.print(
    `${result.name} (${result.spec.use}): ${result.examples} prompts, ${result.heldOut} of them held out to measure.`,
  );
  io.print('');
  for (const line of table(
    ['expert', 'held-out answers', 'mean score', 'Brier', 'Brier of its mean', 'AUROC'],
    result.quality.map(({ expert, answers, meanScore, brier, brierOfMean, auroc }) => [
      expert,
      answers,
      percent(meanScore),
      brier.toFixed(4),
      brierOfMean.toFixed(4),
      Number.isNaN(auroc) ? '-' : auroc.toFixed(3),
    ]),
  ))
    io.print(`  ${line}`);
  io.print('');
  const better = result.quality.filter(({ brier, brierOfMean }) => brier < brierOfMean).length;
  io.print(
    better === 0
      ? 'It predicts no expert better than its mean: routing by it is routing by the mean. More or other data may help.'
      : `Predicts ${better} of ${result.quality.length} experts better than their mean (lower Brier is better).`,
  );
  if (out !== undefined) {
    io.print(`Wrote ${out}. To use it:`);
    io.print('');
    const settings = { estimators: { [result.name]: { ...result.spec, state: out } } };
    for (const line of stringify(settings).trimEnd().split('\n')) io.print(`  ${line}`);
  }
}

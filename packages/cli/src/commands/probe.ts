import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import {
  type Card,
  type Config,
  cardFile,
  checks,
  connectProvider,
  mergeCards,
  type Provider,
  parseConfig,
  probeExpert,
  readCards,
  writeCard,
} from '@gatewright/gateway';
import { GatewrightError, UnknownNameError } from '@gatewright/kernel';
import { DECLARABLE, type Finding, report } from '../card-report.ts';
import { type Command, type CommandIo, EXIT, numberFlag, parse, usage } from '../command.ts';
import { diffLines, withExpertSettings } from '../config-diff.ts';
import { CONFIG_FILE, loadConfig } from '../configuration.ts';

const CHECK_NAMES = [...checks.map(({ name }) => name), 'difficulty'];

/** `gatewright probe`: what can this expert do? */
export const probe: Command = {
  name: 'probe',
  summary: 'Ask an expert what it can do, and write its card.',
  help: `Usage: gatewright probe EXPERT|--all [--config FILE] [--only CHECKS] [--probes 40] [--budget-usd 0.05] [--write] [--json]

Asks the expert directly, through the provider that the gateway would use: does it answer, stream, keep to a format, give JSON,
call tools, report logprobs ...; then up to 40 small tasks with known answers, each at the difficulty that tells most.
The result is a card. A gateway that reads the card sends the expert no request that needs what it failed at.

  --all            every expert of the configuration, one after another
  --only CHECKS    some checks, separated by commas: ${CHECK_NAMES.slice(0, 7).join(', ')},
                   ${CHECK_NAMES.slice(7).join(', ')}
  --probes N       most tasks of graded difficulty, 0 for none
  --budget-usd N   most that one expert may cost; counted at its declared price, before each call at the worst case
  --out FOLDER     where the folder "cards" goes (default: the storage folder of the configuration)
  --write          write the findings into the configuration; without it they are only shown, as a diff
  --seed N         draws other words and tasks
  --max-tokens N   room for the answer to a task (default 512); raise it for models that think aloud
  --timeout-ms N   most for one call (default 30000)
  --concurrency N  most calls at a time (default 4)
  --bodies         keep what was asked and answered on the card
  --json           the cards as JSON

Ctrl-C ends the probe and keeps what was done. Exit code 0: all that is declared was shown; 1: something declared failed, or it
ended early; 4: the expert does not answer.

Example: gatewright probe tiny`,

  async run(argv, io) {
    const { values, positionals } = parse(
      'probe',
      argv,
      {
        all: { type: 'boolean', default: false },
        config: { type: 'string' },
        only: { type: 'string' },
        probes: { type: 'string' },
        'budget-usd': { type: 'string' },
        out: { type: 'string' },
        write: { type: 'boolean', default: false },
        seed: { type: 'string' },
        'max-tokens': { type: 'string' },
        'timeout-ms': { type: 'string' },
        concurrency: { type: 'string' },
        bodies: { type: 'boolean', default: false },
        json: { type: 'boolean', default: false },
      },
      { max: 1 },
    );
    const number = (name: keyof typeof values, standard: number, min: number, max: number, whole = true): number =>
      numberFlag('probe', name, values[name] as string | undefined, standard, { min, max, whole });
    const settings = {
      questions: number('probes', 40, 0, 400),
      budgetUsd: number('budget-usd', 0.05, 0, 1000, false),
      seed: number('seed', 1, 0, 4294967295),
      maxTokens: number('max-tokens', 512, 16, 100_000),
      concurrency: number('concurrency', 4, 1, 64),
      keepBodies: values.bodies,
    };
    const timeoutMs = number('timeout-ms', 30_000, 100, 3_600_000);
    const only = values.only === undefined ? undefined : checkNames(values.only);
    const { config, path } = loadConfig(values.config);
    const experts = chosen(config, positionals[0], values.all);
    if (values.write && path === undefined)
      throw new GatewrightError('GW_CONFIG_FILE', 'There is no configuration that could be changed.', {
        fix: '`gatewright init` writes one; `gatewright init --sandbox` the one of the sandbox.',
      });

    const folder = join(values.out ?? config.storage.directory, 'cards');
    let text = path === undefined ? '' : readFileSync(path, 'utf8');
    const original = text;
    const found: Finding[] = [];
    // All at first: a key that is missing must not come up when half of the experts have been paid for.
    const providers = experts.map((expert) => connectHurried(expert, timeoutMs, io.env));
    for (const [index, expert] of experts.entries()) {
      if (io.stop.aborted) break;
      const provider = providers[index]!;
      const startedMs = performance.now();
      const { card, isUnreachable } = await probeExpert({
        ...settings,
        ...(only === undefined ? {} : { only }),
        expert,
        provider,
        stop: io.stop,
        note: (line) => io.note(`${expert.id}  ${line}`),
        now: performance.now.bind(performance),
        wallNow: Date.now,
        sleep,
      });
      const isEmpty = isUnreachable || card.checks.every(({ judged }) => judged === 0);
      const kept = isEmpty ? card : merged(folder, card, { ...config, experts: [expert] });
      const cardPath = isEmpty ? undefined : writeCard(folder, kept);
      const finding: Finding = { card, kept, expert, cardPath, tookMs: performance.now() - startedMs };
      found.push(finding);
      if (cardPath !== undefined && path !== undefined)
        text = withExpertSettings(text, expert.id, proposals(finding, config, cardPath));
      if (!values.json) for (const line of report(finding)) io.print(line);
    }

    await Promise.all(providers.map((provider) => provider.close()));

    const shown = path === undefined ? '' : relative('.', path) || path;
    const diff = diffLines(original, text, shown, values.write ? 'changed' : 'proposed');
    if (values.write && path !== undefined && diff.length > 0) {
      if (readFileSync(path, 'utf8') !== original)
        throw new GatewrightError('GW_CONFIG_FILE', `${shown} was changed while the experts were asked.`, {
          fix: 'The cards are written. The same command with --write --probes 0 --only liveness puts them into the file.',
        });
      // What cannot be read again must not be written.
      parseConfig(text);
      // Beside and renamed: a kill leaves the old file or the new one, and a gateway that watches it reads no half.
      writeFileSync(`${path}.tmp`, text);
      renameSync(`${path}.tmp`, path);
    }
    if (values.json) {
      io.print(
        JSON.stringify({
          status: io.stop.aborted ? 'stopped' : 'done',
          cards: found.map(({ kept, cardPath }) => ({ path: cardPath ?? null, ...kept })),
          diff,
          isWritten: values.write && diff.length > 0,
        }),
      );
    } else for (const line of next(found, diff, { path, shown, isWritten: values.write, folder })) io.print(line);
    if (io.stop.aborted) io.note('Stopped: what was done until then is kept.');
    return exitCode(found, io.stop.aborted);
  },
};

/** A probe has somebody waiting: no call may take as long as a request's might. */
function connectHurried(expert: Config['experts'][number], timeoutMs: number, env: CommandIo['env']): Provider {
  const { timeouts, id } = expert;
  const totalMs = Math.min(timeouts.totalMs, timeoutMs);
  const hurried = { ...timeouts, totalMs, firstByteMs: Math.min(timeouts.firstByteMs, totalMs) };
  return connectProvider({ ...expert, timeouts: hurried }, env, new Map(), `experts.${id}.provider`);
}

/** The new card with what the one before knew, if that is still to be believed. */
function merged(folder: string, card: Card, { experts: [expert], cards }: Pick<Config, 'experts' | 'cards'>): Card {
  const before = { experts: [{ ...expert!, card: join(folder, cardFile(card.expert)) }], cards };
  const older = readCards(before, Date.now()).byExpert.get(card.expert);
  return older === undefined ? card : mergeCards(older, card);
}

/** Fewer questions say too little to overwrite a declared quality. */
const LEAST_QUESTIONS = 8;

function checkNames(list: string): string[] {
  const names = list.split(',').map((name) => name.trim());
  for (const name of names)
    if (!CHECK_NAMES.includes(name)) throw new UnknownNameError('check', name, CHECK_NAMES, { code: 'GW_USAGE' });
  return names;
}

function chosen(config: Config, named: string | undefined, isAll: boolean): Config['experts'] {
  const ids = config.experts.map(({ id }) => id);
  if (isAll && named === undefined) return config.experts;
  if (isAll || named === undefined)
    throw usage('probe', `Name one expert, or all with --all. There are: ${ids.join(', ')}.`);
  const expert = config.experts.find(({ id }) => id === named);
  if (expert === undefined) throw new UnknownNameError('expert', named, ids, { code: 'GW_USAGE' });
  return [expert];
}

/** What the card would change in the configuration. */
function proposals({ kept: card, expert }: Finding, config: Config, cardPath: string): Record<string, unknown> {
  const { proven, failed } = card.capabilities;
  const found = DECLARABLE.filter(
    (name) => proven.includes(name) || (expert.capabilities.includes(name) && !failed.includes(name)),
  );
  // What no check of ours declares stays as it stands.
  const others = expert.capabilities.filter((name) => !(DECLARABLE as readonly string[]).includes(name));
  const capabilities = [...found, ...others];
  const isChanged =
    capabilities.length !== expert.capabilities.length ||
    !capabilities.every((name) => expert.capabilities.includes(name));
  const measured = card.skills.filter(
    ({ skill, asked, low, high }) =>
      asked >= LEAST_QUESTIONS && Object.hasOwn(config.skills, skill) && isOutside(expert, skill, low, high),
  );
  return {
    ...(isChanged ? { capabilities } : {}),
    ...(measured.length === 0
      ? {}
      : {
          quality: {
            ...expert.quality,
            ...Object.fromEntries(measured.map(({ skill, quality }) => [skill, Math.round(quality * 100) / 100])),
          },
        }),
    ...(expert.card === cardPath ? {} : { card: cardPath }),
  };
}

/** A declared quality inside the interval may rest on more than these few tasks: it stands. */
function isOutside({ quality }: Finding['expert'], skill: string, low: number, high: number): boolean {
  const declared = quality[skill] ?? quality['default']!;
  return declared < low || declared > high;
}

function next(
  found: readonly Finding[],
  diff: readonly string[],
  { path, shown, isWritten, folder }: { path: string | undefined; shown: string; isWritten: boolean; folder: string },
): string[] {
  if (found.every(({ cardPath }) => cardPath === undefined))
    return ['', 'Next: see that the server runs and that baseUrl, model and key are right, then probe again.'];
  if (path === undefined)
    return [
      '',
      `Next: these are the simulated experts. For your own: gatewright init, then gatewright probe --all --write.`,
      `A gateway reads the cards if ${CONFIG_FILE} has:  cards: { directory: ${folder} }`,
    ];
  if (diff.length === 0) return ['', `${shown} says all this already.`];
  return [
    '',
    ...diff,
    '',
    isWritten
      ? `${shown} is changed. A gateway that runs takes it up at once.`
      : `Next: read the diff, then the same command with --write puts it into ${shown}.`,
  ];
}

function exitCode(found: readonly Finding[], isStopped: boolean): number {
  if (
    found.length > 0 &&
    found.every(({ card: { checks: results } }) => results[0]?.status === 'unknown') &&
    !isStopped
  )
    return EXIT.unreachable;
  const isShort = found.some(
    ({ card, expert }) =>
      !card.isComplete ||
      card.checks[0]?.status !== 'passed' ||
      card.capabilities.failed.some((name) => (expert.capabilities as readonly string[]).includes(name)),
  );
  return isStopped || isShort ? EXIT.negative : EXIT.ok;
}

function sleep(durationMs: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) {
      resolve();
      return;
    }
    const end = (): void => {
      clearTimeout(timer);
      stop.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    stop.addEventListener('abort', end, { once: true });
  });
}

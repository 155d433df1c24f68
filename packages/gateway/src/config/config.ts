/** From the text of `gatewright.yaml` to a checked, frozen configuration. Every error names the place and the fix. */
import { createHash } from 'node:crypto';
import {
  compositions,
  create,
  createEstimator,
  estimators,
  type FeedbackTrustOptions,
  feedbackTrust,
  GatewrightError,
  isGatewrightError,
  nearestName,
  type Policy,
  policies,
  priceRule,
  type Spec,
} from '@gatewright/kernel';
import { Compile } from 'typebox/compile';
import { isMap, LineCounter, parseDocument } from 'yaml';
import { type Catalog, type CatalogOrigin, genaiPrices, knownOf } from '../catalog/index.ts';
import { measureOf } from '../confidence-measure.ts';
import type { Price } from '../cost.ts';
import { type EmbeddingOptions, embeddingClient } from '../features/embedding.ts';
import { readsEmbedding } from '../learning.ts';
import * as providers from '../providers/index.ts';
import { redact } from '../redact.ts';
import type { BreakerOptions } from '../resilience/breaker.ts';
import type { RetryOptions } from '../resilience/retries.ts';
import { type Capability, type ConfigFile, ConfigSchema, type ExpertConfig, type ModeConfig } from './schema.ts';

/** How long a call may take, milliseconds. */
export interface Timeouts {
  readonly connectMs: number;
  readonly firstByteMs: number;
  /** To the first content of a stream. Default 300000. */
  readonly firstContentMs?: number;
  readonly idleMs: number;
  readonly totalMs: number;
}

/** An expert with every default filled in. */
export interface Expert
  extends Omit<
    ExpertConfig,
    'quality' | 'capabilities' | 'timeouts' | 'retries' | 'breaker' | 'provider' | 'price' | 'catalog'
  > {
  readonly provider: Spec;
  readonly price: Price;
  /** Where price and context window came from, if not from the configuration. */
  readonly catalog?: CatalogOrigin;
  /** Nobody said what it charges: `price` is 0 for want of anything better. */
  readonly isUnpriced?: true;
  /** By skill; `default` is always there. */
  readonly quality: Readonly<Record<string, number>>;
  readonly capabilities: readonly Capability[];
  readonly timeouts: Timeouts;
  readonly retries: RetryOptions;
  readonly breaker: BreakerOptions;
}

/** Extra calls of the whole pool, and who is too slow for it. */
export interface Resilience {
  /** Most retries, as a share of all calls, 0..1. */
  readonly retryShare: number;
  /** How often a text that broke off may be continued. */
  readonly continueAttempts: number;
  /** Most second calls of a race, as a share of all calls, 0..1. */
  readonly hedgeShare: number;
  /** Undefined: not limited. */
  readonly hedgeUsdPerHour: number | undefined;
  /** How many times the pool's median makes an expert too slow; undefined: nobody is. */
  readonly outlierFactor: number | undefined;
  /** Largest share of the pool that is left alone as too slow, 0..1. */
  readonly outlierShare: number;
}

/** A mode with its plug-ins named. */
export interface Mode extends Omit<ModeConfig, 'policy' | 'shadow' | 'composition' | 'confidence'> {
  readonly policy: Spec;
  readonly shadow?: Spec;
  readonly composition: Spec;
  readonly confidence?: Spec;
}

/** A checked configuration. Frozen; holds names of secrets, never secrets. */
export interface Config {
  readonly seed: number | undefined;
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly apiKeyEnv: string;
    readonly verifierKeyEnv: string;
    readonly maxBodyBytes: number;
    readonly maxConnections: number;
    readonly clientStallMs: number;
    /** How long requests are still taken once the process is told to stop. */
    readonly drainMs: number;
    /** How long requests under way may go on after that. */
    readonly graceMs: number;
  };
  /** Undefined: there is no admin listener. */
  readonly admin: { readonly host: string; readonly port: number; readonly tokenEnv: string } | undefined;
  readonly storage: {
    readonly directory: string;
    readonly keepBytes: number;
    readonly bodies: boolean;
    readonly responses: boolean;
  };
  readonly prices: { readonly stepSize: number; readonly cap: number; readonly spendUsdPerHour: number | undefined };
  readonly skills: Readonly<Record<string, { readonly keywords: readonly string[] }>>;
  readonly experts: readonly Expert[];
  readonly resilience: Resilience;
  readonly feedback: Pick<FeedbackTrustOptions, 'floor' | 'largestShare' | 'votesPerDay'>;
  /** Undefined: only cards that experts name themselves are read. */
  readonly cards: { readonly directory: string; readonly maxAgeDays?: number } | undefined;
  readonly embeddings: EmbeddingOptions | undefined;
  /** Undefined: no answer is given twice. */
  readonly cache: ConfigFile['cache'];
  /** Undefined: nothing is limited. */
  readonly budgets: ConfigFile['budgets'];
  readonly telemetry: ConfigFile['telemetry'];
  readonly logs: ConfigFile['logs'];
  /** By name; `state` is the file of a trained state. */
  readonly estimators: Readonly<Record<string, Spec & { readonly state?: string }>>;
  /** By name without the `gw/`. */
  readonly modes: Readonly<Record<string, Mode>>;
  /** Name or pattern -> mode with its `gw/`, or expert. */
  readonly aliases: Readonly<Record<string, string>>;
  /** SHA-256 over the checked content, first 16 hex digits. */
  readonly hash: string;
}

/** One thing that is wrong in the file. */
export interface ConfigIssue {
  /** As in `experts[2].price`; empty for the whole file. */
  readonly path: string;
  readonly line: number | undefined;
  readonly message: string;
  readonly fix: string;
}

/** Prefix of the names of modes, as clients send them. */
export const MODE_PREFIX = 'gw/';

const DEFAULT_TIMEOUTS: Timeouts = {
  connectMs: 5_000,
  firstByteMs: 60_000,
  // Models that think in secret say nothing for minutes.
  firstContentMs: 300_000,
  idleMs: 30_000,
  totalMs: 600_000,
};

const DEFAULT_RETRIES: RetryOptions = { attempts: 2, baseMs: 250, maxMs: 2_000 };

const DEFAULT_BREAKER: BreakerOptions = {
  failuresInARow: 3,
  failureRate: 0.5,
  windowMs: 30_000,
  minimumCalls: 20,
  openMs: 1_000,
  longestOpenMs: 60_000,
  probes: 1,
};

const DEFAULT_RESILIENCE: Resilience = {
  retryShare: 0.1,
  continueAttempts: 1,
  hedgeShare: 0.1,
  hedgeUsdPerHour: undefined,
  // Off: experts differ by nature, and one that thinks before it speaks is no fault.
  outlierFactor: undefined,
  outlierShare: 0.3,
};

const DEFAULT_MODES: Readonly<Record<string, Mode>> = {
  auto: {
    summary: 'Best balance of quality, cost and latency; the next one answers if it fails.',
    policy: { use: 'bestOf' },
    composition: { use: 'fallback' },
  },
  cascade: {
    summary: 'Cheapest first; escalates while the answer is not trusted.',
    policy: { use: 'cheapestAbove', minQuality: 0, behind: 'cheapest' },
    composition: { use: 'cascade', minConfidence: 0.8 },
  },
};

const validator = Compile(ConfigSchema);

/**
 * Reads a configuration.
 *
 * @param text YAML (or JSON, which is YAML)
 * @throws {GatewrightError} `GW_CONFIG` with all issues found in `facts.issues` (`ConfigIssue[]`)
 */
export function parseConfig(text: string): Config {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: true, uniqueKeys: true });
  if (document.errors.length > 0) {
    throw configError(
      document.errors.map((error) => ({
        path: '',
        line: error.linePos?.[0].line,
        message: error.message.split('\n')[0] ?? 'not readable as YAML',
        fix: 'Correct the YAML at that line.',
      })),
    );
  }
  // Aliases are expanded at most 100 times: a small file must not become a large one.
  let content: unknown;
  try {
    content = document.toJS({ maxAliasCount: 100 });
  } catch (error) {
    throw configError([
      {
        path: '',
        line: undefined,
        message: `${error instanceof Error ? error.message : error}`,
        fix: 'Use fewer YAML aliases.',
      },
    ]);
  }
  if (!isMap(document.contents)) {
    throw configError([
      {
        path: '',
        line: 1,
        message: 'The file is not a map of settings.',
        fix: 'Begin with "version: 1" and "experts:"; `gatewright init` writes an example.',
      },
    ]);
  }
  const lineOf = (keys: readonly (string | number)[]): number | undefined => lineAt(document, lines, keys);
  return checkConfig(content, lineOf);
}

/**
 * Checks a configuration that is already an object.
 *
 * @param nowMs milliseconds since 1970: the catalogue's prices of that day hold
 * @throws {GatewrightError} `GW_CONFIG`
 */
export function checkConfig(
  content: unknown,
  lineOf: (keys: readonly (string | number)[]) => number | undefined = () => undefined,
  nowMs: number = Date.now(),
): Config {
  if (!validator.Check(content)) throw configError(schemaIssues(content, lineOf));
  const file: ConfigFile = content;
  const issues = [...referenceIssues(file, lineOf), ...pluginIssues(file, lineOf)];
  if (issues.length > 0) throw configError(issues);
  return complete(file, nowMs);
}

function configError(issues: readonly ConfigIssue[]): GatewrightError {
  const lines = issues.map(
    ({ path, line, message, fix }) =>
      `${[line === undefined ? '' : `line ${line}`, path].filter(Boolean).join(', ')}${line !== undefined || path ? ': ' : ''}${message} ${fix}`,
  );
  return new GatewrightError(
    'GW_CONFIG',
    lines.length === 1 ? lines[0]! : `${lines.length} problems:\n  ${lines.join('\n  ')}`,
    {
      fix: 'Correct the file and run `gatewright check`.',
      ...(issues[0]!.path === '' ? {} : { path: issues[0]!.path }),
      facts: { issues },
    },
  );
}

/** Turns the validator's findings into one issue per place, each with what to do. */
function schemaIssues(
  content: unknown,
  lineOf: (keys: readonly (string | number)[]) => number | undefined,
): ConfigIssue[] {
  const issues = new Map<string, ConfigIssue>();
  for (const error of validator.Errors(content)) {
    const keys = pointerKeys(error.instancePath, content);
    const path = showPath(keys);
    const add = (place: readonly (string | number)[], message: string, fix: string): void => {
      const where = showPath(place);
      if (!issues.has(where)) issues.set(where, { path: where, line: lineOf(place), message, fix });
    };
    const params = error.params as Record<string, unknown>;
    if (error.keyword === 'additionalProperties') {
      const known = knownProperties(error.schemaPath);
      for (const name of params['additionalProperties'] as string[]) {
        if (name === 'apiKey') {
          add(
            [...keys, name],
            'Keys do not belong in this file.',
            'Put it in the environment and name the variable with apiKeyEnv.',
          );
          continue;
        }
        if (known.length === 0) {
          add(
            [...keys, name],
            `"${name}" cannot be a name here.`,
            'Use small letters, digits and "-", a letter first.',
          );
          continue;
        }
        const near = nearestName(name, known);
        add(
          [...keys, name],
          `There is no setting "${name}" here.`,
          `${near === undefined ? '' : `Did you mean "${near}"? `}Known: ${known.join(', ')}.`,
        );
      }
      continue;
    }
    // A branch that failed inside a union, and the bare "false" of a closed object, are told by their parents.
    if (error.keyword === 'boolean' || /\/anyOf\/\d+/.test(error.schemaPath)) continue;
    if (error.keyword === 'required') {
      for (const name of params['requiredProperties'] as string[]) {
        add(
          [...keys, name],
          `"${name}" is missing${path === '' ? '' : ` in ${path}`}.`,
          describe([...schemaKeys(error.schemaPath), 'properties', name]),
        );
      }
      continue;
    }
    add(keys, `${path === '' ? 'The file' : path} ${error.message}.`, describe(schemaKeys(error.schemaPath)));
  }
  return [...issues.values()];
}

/** Names that must stand for something else in the same file. */
function referenceIssues(
  file: ConfigFile,
  lineOf: (keys: readonly (string | number)[]) => number | undefined,
): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const ids = new Set<string>();
  file.experts.forEach((expert, index) => {
    if (ids.has(expert.id)) {
      issues.push({
        path: `experts[${index}].id`,
        line: lineOf(['experts', index, 'id']),
        message: `"${expert.id}" is the id of two experts.`,
        fix: 'Give each its own.',
      });
    }
    ids.add(expert.id);
    if (typeof expert.quality === 'object') {
      for (const skill of Object.keys(expert.quality)) {
        if (skill === 'default' || Object.hasOwn(file.skills ?? {}, skill)) continue;
        issues.push({
          path: `experts[${index}].quality.${skill}`,
          line: lineOf(['experts', index, 'quality', skill]),
          message: `There is no skill "${skill}".`,
          fix: suggestion(skill, ['default', ...Object.keys(file.skills ?? {})], 'Declare it under skills.'),
        });
      }
    }
  });
  const estimatorNames = Object.keys(file.estimators ?? {});
  for (const [name, settings] of Object.entries(file.estimators ?? {})) {
    if (file.embeddings !== undefined || !readsEmbedding(settings as Spec)) continue;
    issues.push({
      path: `estimators.${name}`,
      line: lineOf(['estimators', name]),
      message: 'It reads the vector of an embeddings endpoint, and none is configured.',
      fix: 'Add embeddings: { baseUrl: ..., model: ... }.',
    });
  }
  for (const [name, { estimator }] of Object.entries(file.modes ?? {})) {
    if (estimator === undefined || estimatorNames.includes(estimator)) continue;
    issues.push({
      path: `modes.${name}.estimator`,
      line: lineOf(['modes', name, 'estimator']),
      message: `There is no estimator "${estimator}".`,
      fix: suggestion(estimator, estimatorNames, 'Declare it under estimators.'),
    });
  }
  const embedding = new Set(file.experts.filter(({ kind }) => kind === 'embedding').map(({ id }) => id));
  const selectors = file.experts.flatMap(({ id, provider }) => [id, `provider:${provider.use}`]);
  const targets = [...Object.keys(file.modes ?? DEFAULT_MODES).map((name) => MODE_PREFIX + name), ...ids];
  for (const [name, target] of Object.entries(file.aliases ?? {})) {
    if (targets.includes(target)) continue;
    issues.push({
      path: `aliases.${name}`,
      line: lineOf(['aliases', name]),
      message: `There is no mode or expert "${target}".`,
      fix: suggestion(target, targets, 'Name a mode as gw/NAME, or an expert.'),
    });
  }
  for (const [name, mode] of Object.entries(file.modes ?? {})) {
    mode.deny?.forEach((selector, index) => {
      if (selectors.includes(selector)) return;
      issues.push({
        path: `modes.${name}.deny[${index}]`,
        line: lineOf(['modes', name, 'deny', index]),
        message: `There is no expert or provider "${selector}".`,
        fix: suggestion(selector, [...new Set(selectors)], 'Name an expert, or provider:NAME.'),
      });
    });
    mode.experts?.forEach((id, index) => {
      if (embedding.has(id))
        issues.push({
          path: `modes.${name}.experts[${index}]`,
          line: lineOf(['modes', name, 'experts', index]),
          message: `"${id}" makes vectors, not answers.`,
          fix: 'Leave it out: clients name it as model of /v1/embeddings.',
        });
      if (ids.has(id)) return;
      issues.push({
        path: `modes.${name}.experts[${index}]`,
        line: lineOf(['modes', name, 'experts', index]),
        message: `There is no expert "${id}".`,
        fix: suggestion(id, [...ids], 'Declare it under experts.'),
      });
    });
  }
  return issues;
}

/** Builds every plug-in once, so that a wrong option is found now and not by the first request. */
function pluginIssues(
  file: ConfigFile,
  lineOf: (keys: readonly (string | number)[]) => number | undefined,
): ConfigIssue[] {
  const issues: ConfigIssue[] = [];
  const ids = file.experts.map(({ id }) => id);
  const attempt = (keys: readonly (string | number)[], build: () => unknown): void => {
    try {
      build();
    } catch (error) {
      if (!isGatewrightError(error)) throw error;
      // A value that the message repeats may be a key in the wrong place.
      issues.push({
        path: error.path ?? showPath(keys),
        line: lineOf(keys),
        message: redact(error.message),
        fix: error.fix,
      });
    }
  };
  for (const [name, mode] of Object.entries(file.modes ?? {})) {
    for (const part of ['policy', 'shadow'] as const) {
      if (mode[part] === undefined) continue;
      attempt(['modes', name, part], () => {
        const { expertsNamed = {} } = create<Policy>('policy', policies, mode[part] as Spec, `modes.${name}.${part}`);
        for (const [place, id] of Object.entries(expertsNamed)) {
          if (ids.includes(id)) continue;
          issues.push({
            path: `modes.${name}.${part}.${place}`,
            line: lineOf(['modes', name, part, place.split(/[.[]/)[0]!]),
            message: `There is no expert "${id}".`,
            fix: suggestion(id, ids, 'Declare it under experts.'),
          });
        }
      });
    }
    attempt(['modes', name, 'confidence'], () => measureOf(mode as Mode, `modes.${name}`));
    attempt(['modes', name, 'composition'], () =>
      create('composition', compositions, mode.composition as Spec, `modes.${name}.composition`),
    );
  }
  for (const [name, settings] of Object.entries(file.estimators ?? {})) {
    const { state: _, ...spec } = settings;
    attempt(['estimators', name], () => createEstimator(estimators, spec as Spec, `estimators.${name}`));
  }
  file.experts.forEach((expert, index) => {
    attempt(['experts', index, 'provider'], () =>
      create('provider', providers, expert.provider as Spec, `experts[${index}].provider`),
    );
  });
  attempt(['feedback'], () => feedbackTrust(file.feedback ?? {}));
  if (file.embeddings !== undefined) {
    const { apiKeyEnv: _, ...settings } = file.embeddings;
    attempt(['embeddings'], () => void embeddingClient(settings).close());
  }
  attempt(['prices'], () => priceRule({ stepSize: file.prices?.stepSize ?? 0.05, cap: file.prices?.cap ?? 0.5 }));
  return issues;
}

/** The price and the context window of an expert: as declared, else as publicly known, else nothing and no limit. */
function catalogued(
  expert: ExpertConfig,
  open: () => Catalog,
): Pick<Expert, 'price' | 'contextTokens' | 'catalog' | 'isUnpriced'> {
  const { price, contextTokens } = expert;
  const declared = price === undefined ? UNPRICED : { price };
  if (price !== undefined && contextTokens !== undefined) return declared;
  const known = knownOf({ provider: expert.provider as Spec, catalog: expert.catalog }, open);
  if (known === undefined) return declared;
  const taken = {
    ...(price === undefined && known.price !== undefined ? { price: known.price } : {}),
    ...(contextTokens === undefined && known.contextTokens !== undefined ? { contextTokens: known.contextTokens } : {}),
  };
  const fields = Object.keys(taken) as (keyof typeof taken)[];
  if (fields.length === 0) return declared;
  const base = taken.price === undefined ? declared : {};
  return {
    ...base,
    price: taken.price ?? declared.price,
    ...taken,
    catalog: { from: open().version, model: `${known.provider}/${known.model}`, fields },
  };
}

const UNPRICED = { price: { inputUsdPerMTok: 0, outputUsdPerMTok: 0 }, isUnpriced: true } as const;

function complete(file: ConfigFile, nowMs: number): Config {
  let opened: Catalog | undefined;
  const catalog = (): Catalog => {
    opened ??= genaiPrices(nowMs);
    return opened;
  };
  const experts = file.experts.map((expert): Expert => {
    const { quality = 0.5, capabilities = ['tools', 'json', 'samples'], catalog: _, ...settings } = expert;
    return {
      ...settings,
      ...catalogued(expert, catalog),
      provider: expert.provider as Spec,
      capabilities,
      quality: typeof quality === 'number' ? { default: quality } : { default: 0.5, ...quality },
      timeouts: { ...DEFAULT_TIMEOUTS, ...file.timeouts, ...expert.timeouts },
      retries: { ...DEFAULT_RETRIES, ...file.retries, ...expert.retries },
      breaker: { ...DEFAULT_BREAKER, ...file.breaker, ...expert.breaker },
    };
  });
  const content = {
    seed: file.seed,
    server: {
      host: '127.0.0.1',
      port: 4180,
      apiKeyEnv: 'GATEWRIGHT_API_KEY',
      verifierKeyEnv: 'GATEWRIGHT_VERIFIER_KEY',
      maxBodyBytes: 20_971_520,
      maxConnections: 20_000,
      clientStallMs: 60_000,
      drainMs: 200,
      graceMs: 10_000,
      ...file.server,
    },
    admin:
      file.admin === undefined
        ? undefined
        : { host: '127.0.0.1', port: 4190, tokenEnv: 'GATEWRIGHT_ADMIN_TOKEN', ...file.admin },
    storage: { directory: '.gatewright', keepBytes: 1_073_741_824, bodies: false, responses: true, ...file.storage },
    prices: { stepSize: 0.05, cap: 0.5, spendUsdPerHour: undefined, ...file.prices },
    skills: file.skills ?? {},
    experts,
    resilience: { ...DEFAULT_RESILIENCE, ...file.resilience },
    feedback: file.feedback ?? {},
    cards: file.cards,
    embeddings: file.embeddings,
    cache: file.cache,
    budgets: file.budgets,
    telemetry: file.telemetry,
    logs: file.logs,
    estimators: (file.estimators as Config['estimators'] | undefined) ?? {},
    modes: (file.modes as Config['modes'] | undefined) ?? DEFAULT_MODES,
    aliases: file.aliases ?? {},
  };
  const hash = createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 16);
  return deepFreeze({ ...content, hash });
}

function suggestion(name: string, known: readonly string[], otherwise: string): string {
  const near = nearestName(name, known);
  return `${near === undefined ? '' : `Did you mean "${near}"? `}Known: ${known.join(', ')}. ${otherwise}`;
}

/** `/experts/0/id` -> `['experts', 0, 'id']`, numbers where the content has a list. */
function pointerKeys(pointer: string, content: unknown): (string | number)[] {
  const keys: (string | number)[] = [];
  let node = content;
  for (const part of pointer.split('/').slice(1)) {
    const key = part.replaceAll('~1', '/').replaceAll('~0', '~');
    keys.push(Array.isArray(node) ? Number(key) : key);
    node = (node as Record<string, unknown> | undefined)?.[key];
  }
  return keys;
}

function showPath(keys: readonly (string | number)[]): string {
  return keys.map((key, index) => (typeof key === 'number' ? `[${key}]` : index === 0 ? key : `.${key}`)).join('');
}

function schemaKeys(schemaPath: string): string[] {
  return schemaPath.split('/').slice(1);
}

function schemaAt(keys: readonly string[]): Record<string, unknown> | undefined {
  let node: unknown = ConfigSchema;
  for (const key of keys)
    node = (node as Record<string, unknown> | undefined)?.[key.replaceAll('~1', '/').replaceAll('~0', '~')];
  return node as Record<string, unknown> | undefined;
}

function knownProperties(schemaPath: string): string[] {
  return Object.keys((schemaAt(schemaKeys(schemaPath))?.['properties'] as object | undefined) ?? {});
}

function describe(keys: readonly string[]): string {
  const description = schemaAt(keys)?.['description'];
  return typeof description === 'string' ? description : 'See `gatewright schema`.';
}

/** The line of a key in the file, or of the nearest parent that is there. */
function lineAt(
  document: ReturnType<typeof parseDocument>,
  lines: LineCounter,
  keys: readonly (string | number)[],
): number | undefined {
  for (let length = keys.length; length > 0; length--) {
    const parent = length === 1 ? document.contents : document.getIn(keys.slice(0, length - 1), true);
    const key = keys[length - 1];
    if (isMap(parent)) {
      const pair = parent.items.find((item) => (item.key as { value?: unknown } | null)?.value === key);
      const range = (pair?.key as { range?: [number, number, number] } | undefined)?.range;
      if (range !== undefined) return lines.linePos(range[0]).line;
    }
    const node = document.getIn(keys.slice(0, length), true) as { range?: [number, number, number] } | undefined;
    if (node?.range !== undefined) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}

function deepFreeze<T>(value: T): T {
  if (value !== null && typeof value === 'object' && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const child of Object.values(value)) deepFreeze(child);
  }
  return value;
}

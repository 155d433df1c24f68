/**
 * What a client demands of whoever answers, beside what the request needs: who may or may not be asked, where and how
 * privately it is handled, what it may cost. Read from headers and from the routing fields that OpenRouter's clients
 * send in the body; checked against each expert before any score.
 */
import type { IncomingHttpHeaders } from 'node:http';
import { GatewrightError, type Removal, UnknownNameError } from '@gatewright/kernel';
import type { Expert } from './config/config.ts';
import { PRIVACY, type Privacy } from './config/schema.ts';

/** Demands of one request. What is absent is not demanded. */
export interface Requirements {
  /** `x-gw-residency`: every region of the expert must be one of these. */
  readonly residency?: readonly string[];
  /** `x-gw-privacy`: the expert may be given requests at least as private. */
  readonly privacy?: Privacy;
  /** `x-gw-only`: nobody else, as ids or `provider:NAME`. */
  readonly only?: readonly string[];
  /** `provider.only` of the body: nobody else either, as `provider:NAME`. */
  readonly onlyProviders?: readonly string[];
  /** `x-gw-deny`, or `provider.ignore` of the body: none of these. */
  readonly deny?: readonly string[];
  /** `x-gw-max-cost-usd`: what one call may cost by estimate, and all together at most, USD. */
  readonly maxCostUsd?: number;
  /** `provider.max_price` of the body: USD per million tokens, and per request. */
  readonly maxPrice?: { readonly prompt?: number; readonly completion?: number; readonly request?: number };
  /** `x-gw-no-fallback: 1`, or `provider.allow_fallbacks: false`: one call, whatever comes of it. */
  readonly noFallback?: boolean;
  /** `models` of the body: who may answer, in the order to try them. */
  readonly models?: readonly string[] | undefined;
}

const MOST_SELECTORS = 64;
const SELECTOR = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,109}$/;
const REGION = /^[a-z][a-z0-9-]{0,39}$/;

/**
 * Reads the demands of a request; undefined where there are none.
 *
 * @param body for `provider` and `models`
 * @throws {GatewrightError} `GW_REQUEST_TYPE` for anything that cannot be read: a demand is never left out
 */
export function requirementsOf(
  headers: IncomingHttpHeaders,
  body: Readonly<Record<string, unknown>> = {},
): Requirements | undefined {
  const said: { -readonly [K in keyof Requirements]: Requirements[K] } = {};
  const residency = listOf(headers, 'x-gw-residency', REGION, 'Write it as eu, or eu,us.');
  if (residency !== undefined) said.residency = residency;
  const privacy = textOf(headers, 'x-gw-privacy');
  if (privacy !== undefined) {
    if (!(PRIVACY as readonly string[]).includes(privacy))
      throw wrong('x-gw-privacy', `is ${shown(privacy)}`, `Use ${PRIVACY.join(', ')}.`);
    said.privacy = privacy as Privacy;
  }
  const selectorFix = 'Write ids of experts, or provider:NAME, with commas between them.';
  const only = listOf(headers, 'x-gw-only', SELECTOR, selectorFix);
  if (only !== undefined) said.only = only;
  const deny = listOf(headers, 'x-gw-deny', SELECTOR, selectorFix);
  if (deny !== undefined) said.deny = deny;
  const most = textOf(headers, 'x-gw-max-cost-usd');
  if (most !== undefined) said.maxCostUsd = usd('x-gw-max-cost-usd', most);
  const single = textOf(headers, 'x-gw-no-fallback');
  if (single !== undefined) {
    if (!/^(1|0|true|false)$/.test(single)) throw wrong('x-gw-no-fallback', `is ${shown(single)}`, 'Use 1 or 0.');
    if (single === '1' || single === 'true') said.noFallback = true;
  }
  if (body['provider'] != null) readProvider(body['provider'], said);
  if (body['models'] != null) said.models = names('models', body['models']);
  return Object.keys(said).length === 0 ? undefined : said;
}

/** The request as experts may get it: without the fields that were meant for the gateway. */
export function withoutRouting<T extends { readonly [field: string]: unknown }>(request: T): T {
  if (request['provider'] === undefined && request['models'] === undefined) return request;
  const { provider: _, models: __, ...rest } = request;
  return rest as unknown as T;
}

/**
 * Refuses names that stand for nobody: a slip of the pen must not let through what was to be kept out.
 *
 * @throws {UnknownNameError} `GW_REQUEST_TYPE`
 */
export function requireKnown(
  { only = [], onlyProviders = [], deny = [] }: Requirements,
  experts: readonly Expert[],
): void {
  if (only.length + onlyProviders.length + deny.length === 0) return;
  for (const [path, selectors] of [
    ['x-gw-only', only],
    ['provider.only', onlyProviders],
    ['x-gw-deny', deny],
  ] as const) {
    for (const selector of selectors) {
      if (experts.some((expert) => isSelected(expert, selector))) continue;
      const known = [...new Set(experts.flatMap(({ id, provider }) => [id, `provider:${provider.use}`]))];
      throw new UnknownNameError('expert or provider', selector, known, { code: 'GW_REQUEST_TYPE', path });
    }
  }
}

/** What a key demands of every request, whatever the request says. */
export type KeyRequirements = Pick<Requirements, 'residency' | 'privacy'>;

/** The demands of a request with those of its key: of each the stricter one. */
export function withKeyRequirements(said: Requirements | undefined, key: KeyRequirements): Requirements {
  const regions = said?.residency;
  const residency = regions === undefined ? key.residency : regions.filter((region) => inside(key.residency, region));
  const privacy = PRIVACY.findLast((level) => level === said?.privacy || level === key.privacy);
  return {
    ...said,
    ...(residency === undefined ? {} : { residency }),
    ...(privacy === undefined ? {} : { privacy }),
  };
}

function inside(regions: readonly string[] | undefined, region: string): boolean {
  return regions === undefined || regions.includes(region);
}

/**
 * Whether the text may go only to those whose place or discretion is vouched for. A server that is no expert, such as one for
 * vectors, has nobody who does.
 */
export function isConfined(requires: Requirements | undefined, hardFlags: readonly string[]): boolean {
  if (hardFlags.length > 0) return true;
  return requires !== undefined && (requires.residency !== undefined || (requires.privacy ?? 'public') !== 'public');
}

/** The stricter of two limits. */
export function lesser(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined || other === undefined ? (one ?? other) : Math.min(one, other);
}

/** Whether an id or `provider:NAME` stands for that expert. */
export function isSelected({ id, provider }: Pick<Expert, 'id' | 'provider'>, selector: string): boolean {
  return selector === id || (selector.startsWith('provider:') && selector.slice(9) === provider.use);
}

/**
 * Why an expert may not answer; undefined if it may.
 *
 * @param modeDeny what the mode itself keeps out
 * @param costUsd estimate of one call; asked for only where it is needed
 */
export function unmetRequirement(
  expert: Expert,
  required: Requirements | undefined,
  modeDeny: readonly string[] | undefined,
  costUsd: () => number,
): Removal | undefined {
  const removal = (constraint: string, detail: string): Removal => ({ expert: expert.id, constraint, detail });
  const banned = modeDeny?.find((selector) => isSelected(expert, selector));
  if (banned !== undefined) return removal('deny', `the mode denies ${banned}`);
  if (required === undefined) return undefined;
  const { only, onlyProviders, deny, models, residency, privacy, maxPrice, maxCostUsd } = required;
  const denied = deny?.find((selector) => isSelected(expert, selector));
  if (denied !== undefined) return removal('deny', `the request denies ${denied}`);
  for (const chosen of [only, onlyProviders])
    if (chosen !== undefined && !chosen.some((selector) => isSelected(expert, selector)))
      return removal('only', `the request asks for ${chosen.join(', ')} only`);
  if (models !== undefined && !models.includes(expert.id))
    return removal('only', `the request asks for ${models.join(', ')} only`);
  if (residency !== undefined && expert.residency?.every((region) => residency.includes(region)) !== true)
    return removal(
      'residency',
      `the request stays in ${residency.join(', ')}, the expert is in ${expert.residency?.join(', ') ?? 'a region that nobody named'}`,
    );
  const upTo = expert.privacy ?? 'public';
  if (privacy !== undefined && PRIVACY.indexOf(upTo) < PRIVACY.indexOf(privacy))
    return removal('privacy', `the request is ${privacy}, the expert may be given what is ${upTo}`);
  const dear = maxPrice === undefined ? undefined : dearerThan(expert, maxPrice);
  if (dear !== undefined) return removal('maxPrice', dear);
  if (maxCostUsd !== undefined) {
    const cost = costUsd();
    if (cost > maxCostUsd)
      return removal('maxCost', `the call costs about ${cost.toPrecision(3)} USD, ${maxCostUsd} are allowed`);
  }
  return undefined;
}

function dearerThan({ price }: Expert, most: NonNullable<Requirements['maxPrice']>): string | undefined {
  const { prompt = Infinity, completion = Infinity, request = Infinity } = most;
  if (price.inputUsdPerMTok > prompt)
    return `its prompt tokens cost ${price.inputUsdPerMTok} USD a million, ${prompt} are allowed`;
  if (price.outputUsdPerMTok > completion)
    return `its completion tokens cost ${price.outputUsdPerMTok} USD a million, ${completion} are allowed`;
  if ((price.requestUsd ?? 0) > request) return `a request costs ${price.requestUsd} USD, ${request} are allowed`;
  return undefined;
}

const PROVIDER_FIELDS = ['only', 'ignore', 'allow_fallbacks', 'max_price'];

/** `provider` as OpenRouter's clients send it. What we do not do is refused: it may be what somebody relies on. */
function readProvider(provider: unknown, said: { -readonly [K in keyof Requirements]: Requirements[K] }): void {
  if (!isObject(provider)) throw wrong('provider', 'is no object', `Use {${PROVIDER_FIELDS.join(', ')}}.`);
  for (const [field, value] of Object.entries(provider)) {
    const path = `provider.${field.slice(0, 40)}`;
    if (value === null) continue;
    if (field === 'only') said.onlyProviders = names(path, value).map(providerSelector);
    else if (field === 'ignore') said.deny = [...(said.deny ?? []), ...names(path, value).map(providerSelector)];
    else if (field === 'allow_fallbacks') {
      if (typeof value !== 'boolean') throw wrong(path, 'is neither true nor false', 'Use true or false.');
      if (!value) said.noFallback = true;
    } else if (field === 'max_price') said.maxPrice = maxPrice(value);
    else
      throw wrong(
        path,
        'is not supported',
        `Use ${PROVIDER_FIELDS.join(', ')}; for anything else choose a mode of the configuration.`,
      );
  }
}

const providerSelector = (name: string): string => `provider:${name}`;

function maxPrice(value: unknown): NonNullable<Requirements['maxPrice']> {
  if (!isObject(value)) throw wrong('provider.max_price', 'is no object', 'Use {prompt, completion, request}.');
  const most: Record<string, number> = {};
  for (const [field, limit] of Object.entries(value)) {
    const path = `provider.max_price.${field.slice(0, 40)}`;
    if (field !== 'prompt' && field !== 'completion' && field !== 'request')
      throw wrong(path, 'is not supported', 'Use {prompt, completion, request}.');
    if (limit !== null) most[field] = usd(path, limit);
  }
  return most;
}

function usd(path: string, value: unknown): number {
  const number = typeof value === 'string' && /^\d{1,9}(\.\d{1,12})?$/.test(value.trim()) ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number) || number < 0)
    throw wrong(path, `is ${shown(String(value))}`, 'Use USD as a plain number of at least 0, such as 0.01.');
  return number;
}

function names(path: string, value: unknown): string[] {
  if (!Array.isArray(value) || value.length > MOST_SELECTORS)
    throw wrong(path, `is no list of at most ${MOST_SELECTORS} names`, 'Give a list of names.');
  for (const name of value)
    if (typeof name !== 'string' || !/^[\w./:-]{1,110}$/.test(name))
      throw wrong(path, `has ${shown(JSON.stringify(name) ?? '')}`, 'Give a list of names.');
  return value as string[];
}

function textOf(headers: IncomingHttpHeaders, header: string): string | undefined {
  const value = headers[header];
  return value === undefined ? undefined : String(value).trim();
}

function listOf(headers: IncomingHttpHeaders, header: string, form: RegExp, fix: string): string[] | undefined {
  const value = textOf(headers, header);
  if (value === undefined) return undefined;
  const items = value.split(',').map((item) => item.trim());
  if (items.length > MOST_SELECTORS)
    throw wrong(header, `has ${items.length} entries`, `Send ${MOST_SELECTORS} at most.`);
  for (const item of items) if (!form.test(item)) throw wrong(header, `has ${shown(item)}`, fix);
  return items;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value);
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 60));
}

function wrong(path: string, what: string, fix: string): GatewrightError {
  return new GatewrightError('GW_REQUEST_TYPE', `${path} ${what}.`, { path, fix });
}

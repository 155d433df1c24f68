/**
 * `GET /v1/models` and `/v1/models/ID`: modes, aliases and experts that whoever asks may name, in the form in which
 * OpenAI lists models, or Anthropic where the client says that it speaks that (both have the same path).
 */
import { UnknownNameError } from '@gatewright/kernel';
import type { Expert } from '../config/config.ts';
import type { Gateway } from '../gateway.ts';
import { sendJson } from '../http/send.ts';
import { isAllowed, type Principal } from '../identity/principal.ts';
import { extraAttemptsOf, worstCaseOf } from '../money/worst-case.ts';
import type { RuntimeMode } from '../pipeline.ts';
import { type Endpoints, type Exchange, type Route, scoped } from './endpoint.ts';

/** Models. */
export const models: Endpoints = ({ gateway }) => {
  const one: Route = scoped('models', { GET: (exchange) => show(gateway, exchange) });
  return {
    '/v1/models': scoped('models', { GET: (exchange) => list(gateway, exchange) }),
    '/v1/models/:id': one,
    // Names of modes have a slash, and not every client writes it as %2F.
    '/v1/models/:owner/:id': one,
  };
};

/** A model in OpenAI's form; fields beyond `owned_by` are ours. */
interface Model {
  readonly id: string;
  readonly object: 'model';
  /** Seconds since 1970; 0, since nobody knows. */
  readonly created: 0;
  readonly owned_by: string;
  readonly kind: 'mode' | 'alias' | 'chat' | 'embedding';
  readonly context_tokens?: number;
  readonly [field: string]: unknown;
}

function modelsFor({ runtime: { config, modes } }: Gateway, principal: Principal): Model[] {
  const entry = (id: string, owner: string, kind: Model['kind'], extra: object): Model => ({
    id,
    object: 'model',
    created: 0,
    owned_by: owner,
    kind,
    ...extra,
  });
  const all = [
    ...Object.entries(config.modes).map(([name, mode]) =>
      entry(`gw/${name}`, 'gatewright', 'mode', {
        summary: mode.summary ?? `${mode.policy.use} + ${mode.composition.use}`,
        ...mostOf(modes.get(`gw/${name}`)!),
      }),
    ),
    // A pattern is no name that a client could choose.
    ...Object.entries(config.aliases)
      .filter(([name]) => !name.includes('*'))
      .map(([name, target]) => entry(name, 'gatewright', 'alias', { alias_of: target })),
    ...config.experts.map((expert) => entry(expert.id, expert.provider.use, expert.kind ?? 'chat', detailsOf(expert))),
  ];
  // An alias may be asked for by whoever may ask for what it stands for (`requireModels`).
  return all.filter(({ id, alias_of: target }) => isAllowed(principal, typeof target === 'string' ? target : id));
}

/** The most that one request of a mode can come to. */
function mostOf({ experts, composition, maxCostUsd, continueAttempts }: RuntimeMode): object {
  const worst = worstCaseOf(
    experts.map(({ expert }) => expert),
    composition,
    extraAttemptsOf({ continueAttempts }),
  );
  return { max_calls: worst.calls, max_cost_usd: Math.min(worst.costUsd, maxCostUsd ?? Infinity) };
}

function detailsOf({ price, capabilities, contextTokens, residency, privacy, catalog, kind }: Expert): object {
  return {
    price,
    ...(kind === 'embedding' ? {} : { capabilities }),
    ...(contextTokens === undefined ? {} : { context_tokens: contextTokens }),
    ...(residency === undefined ? {} : { residency }),
    ...(privacy === undefined ? {} : { privacy }),
    ...(catalog === undefined ? {} : { catalog }),
  };
}

function list(gateway: Gateway, { request, response, principal, url }: Exchange): void {
  const data = modelsFor(gateway, principal);
  if (request.headers['anthropic-version'] === undefined) {
    sendJson(response, 200, { object: 'list', data });
    return;
  }
  const { page, hasMore } = pageOf(data, url.searchParams);
  sendJson(response, 200, {
    data: page.map(anthropicModel),
    has_more: hasMore,
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
  });
}

function show(gateway: Gateway, { request, response, principal, params }: Exchange): void {
  const { owner, id } = params;
  const name = decoded(owner === undefined ? id! : `${owner}/${id}`);
  const data = modelsFor(gateway, principal);
  const model = data.find((known) => known.id === name);
  if (model === undefined)
    throw new UnknownNameError(
      'model',
      name,
      data.map((known) => known.id),
      { code: 'GW_UNKNOWN_MODEL', path: 'model' },
    );
  const speaksAnthropic = request.headers['anthropic-version'] !== undefined;
  sendJson(response, 200, speaksAnthropic ? anthropicModel(model) : model);
}

/** Anthropic's pages: `limit` (20), `after_id`, `before_id`. What cannot be read counts as not said. */
function pageOf(data: readonly Model[], query: URLSearchParams): { page: readonly Model[]; hasMore: boolean } {
  const asked = Number(query.get('limit') ?? 20);
  const limit = Number.isInteger(asked) && asked >= 1 && asked <= 1_000 ? asked : 20;
  const before = data.findIndex(({ id }) => id === query.get('before_id'));
  if (before >= 0) return { page: data.slice(Math.max(0, before - limit), before), hasMore: before > limit };
  const from = data.findIndex(({ id }) => id === query.get('after_id')) + 1;
  return { page: data.slice(from, from + limit), hasMore: data.length > from + limit };
}

/** A model in Anthropic's form. */
function anthropicModel({ id, context_tokens: contextTokens }: Model): object {
  return {
    type: 'model',
    id,
    display_name: id,
    // The format's own way to say that the date is not known.
    created_at: '1970-01-01T00:00:00Z',
    lifecycle: 'active',
    deprecated_at: null,
    retires_at: null,
    line: null,
    max_input_tokens: contextTokens ?? null,
    max_tokens: null,
    capabilities: null,
  };
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

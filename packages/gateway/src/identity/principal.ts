/** Who asks: what the rest of the gateway may know of whoever holds a key, and what that allows. */
import { GatewrightError } from '@gatewright/kernel';
import { type KeyRequirements, type Requirements, withKeyRequirements } from '../requirements.ts';

/** What a key may do: one scope for each group of endpoints. */
export const SCOPES = [
  'chat',
  'responses',
  'messages',
  'embeddings',
  'route',
  'feedback',
  'traces',
  'usage',
  'status',
  'models',
] as const;

/** One of `SCOPES`. */
export type Scope = (typeof SCOPES)[number];

/** What a key is for. */
export const ROLES = ['use', 'verifier', 'admin'] as const;

/** One of `ROLES`. `verifier`: feedback of source verifier or judge is taken as right. `admin`: may use the admin listener. */
export type Role = (typeof ROLES)[number];

/** Money that may be spent in a window. */
export interface Budget {
  readonly usd: number;
  /** Calendar windows are UTC; `total` never comes back. */
  readonly window: 'hour' | 'day' | 'month' | 'total';
}

/** Limits of one account: a key, a user, a project. What is not named is not limited. */
export interface AccountLimits {
  readonly requestsPerMinute?: number;
  /** Prompt and completion tokens together. */
  readonly tokensPerMinute?: number;
  /** Requests under way at a time. */
  readonly concurrent?: number;
  readonly budgets?: readonly Budget[];
}

/** Whoever sends a request. Holds no secret. */
export interface Principal {
  /** Id of the virtual key (`vk_...`), `static` for a key of the environment, `open` where no key is asked for. */
  readonly keyId: string;
  /** What people call the key. */
  readonly name: string;
  /** SHA-256 of the key, hex; empty where no key is asked for. */
  readonly keyDigest: string;
  /** Whose project pays, where the key belongs to one. */
  readonly project: string | undefined;
  /** The user that the key stands for; a request's own `user` counts where the key stands for nobody. */
  readonly user: string | undefined;
  readonly roles: readonly Role[];
  /** Patterns of modes and experts that it may ask for, `*` for any characters; undefined: all. */
  readonly models: readonly string[] | undefined;
  /** What it may do; undefined: all. */
  readonly scopes: readonly Scope[] | undefined;
  readonly limits: AccountLimits;
  /** What every request of the key demands of whoever answers; undefined: nothing. */
  readonly requires?: KeyRequirements | undefined;
}

/** Whoever asks where no key is asked for. */
export const ANYONE: Principal = {
  keyId: 'open',
  name: 'anyone',
  keyDigest: '',
  project: undefined,
  user: undefined,
  roles: ['use'],
  models: undefined,
  scopes: undefined,
  limits: {},
};

/**
 * Whether somebody may ask for a mode (`gw/auto`) or an expert by that name. What a mode asks on the way is not looked at:
 * whoever may use a mode may use the experts that it chooses.
 */
export function isAllowed({ models }: Principal, model: string): boolean {
  return models === undefined || models.some((pattern) => fits(pattern, model));
}

/** @throws {GatewrightError} `GW_MODEL_FORBIDDEN`; the same for names that exist and names that do not */
export function requireModel(principal: Principal, model: string): void {
  if (isAllowed(principal, model)) return;
  throw new GatewrightError(
    'GW_MODEL_FORBIDDEN',
    `The key ${JSON.stringify(principal.name)} may not ask for ${JSON.stringify(String(model).slice(0, 100))}.`,
    {
      path: 'model',
      fix: `It may ask for: ${principal.models!.join(', ') || 'nothing'}. Whoever manages the keys can change that.`,
    },
  );
}

/**
 * @param scope what the endpoint needs; undefined: nothing that could be granted, so a key with scopes is refused
 * @throws {GatewrightError} `GW_FORBIDDEN`
 */
export function requireScope({ name, roles, scopes }: Principal, scope: Scope | undefined): void {
  if (!roles.includes('use') && !(scope === 'feedback' && roles.includes('verifier')))
    throw new GatewrightError('GW_FORBIDDEN', `The key ${JSON.stringify(name)} has no role that is needed here: use.`, {
      fix: `It has: ${roles.join(', ') || 'none'}. Send another key, or have the role added.`,
    });
  if (scopes === undefined || (scope !== undefined && scopes.includes(scope))) return;
  throw new GatewrightError(
    'GW_FORBIDDEN',
    `The key ${JSON.stringify(name)} lacks the scope that is needed here: ${scope ?? 'all of them'}.`,
    { fix: `It has: ${scopes.join(', ') || 'none'}. Send another key, or have the scope added.` },
  );
}

/**
 * Whom a request is for: the user that the key stands for, else the one that the request names.
 *
 * @throws {GatewrightError} `GW_FORBIDDEN` if the key stands for somebody else
 */
export function requireUser<T extends string | undefined>(principal: Principal, user: T): T | string {
  if (principal.user === undefined || user === principal.user) return user;
  if (user === undefined) return principal.user;
  throw new GatewrightError('GW_FORBIDDEN', `The key ${JSON.stringify(principal.name)} speaks for one user only.`, {
    path: 'user',
    fix: `Send user ${JSON.stringify(principal.user)}, or a key that stands for nobody.`,
  });
}

/**
 * What was said of a request, with the key's user in place of a named one (whoever has the key cannot be somebody else) and
 * with what the key demands.
 */
export function ofPrincipal<T extends { readonly user?: string; readonly requires?: Requirements }>(
  { user, requires }: Principal,
  said: T,
): T {
  const named = user === undefined || said.user === user ? said : { ...said, user };
  return requires === undefined ? named : { ...named, requires: withKeyRequirements(said.requires, requires) };
}

/** A pattern with `*`. One pass with one place to come back to: no pattern takes more than pattern x text steps. */
function fits(pattern: string, text: string): boolean {
  if (pattern === text || pattern === '*') return true;
  let at = 0;
  let inText = 0;
  let star = -1;
  let resume = 0;
  while (inText < text.length) {
    if (pattern[at] === '*') {
      star = at++;
      resume = inText;
    } else if (at < pattern.length && pattern[at] === text[inText]) {
      at++;
      inText++;
    } else if (star >= 0) {
      at = star + 1;
      inText = ++resume;
    } else return false;
  }
  while (pattern[at] === '*') at++;
  return at === pattern.length;
}

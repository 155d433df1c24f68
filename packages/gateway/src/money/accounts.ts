/** Which accounts a request belongs to: its key, its user, its project, and the gateway as a whole. */
import { hash } from 'node:crypto';
import Type, { type Static } from 'typebox';
import type { AccountLimits, Principal } from '../identity/principal.ts';

const closed = { additionalProperties: false } as const;

const Limits = (description: string) =>
  Type.Object(
    {
      requestsPerMinute: Type.Optional(
        Type.Number({
          exclusiveMinimum: 0,
          description: 'Requests that may begin in any minute. Default: not limited.',
        }),
      ),
      tokensPerMinute: Type.Optional(
        Type.Number({
          exclusiveMinimum: 0,
          description: 'Prompt and completion tokens of all calls in any minute. Default: not limited.',
        }),
      ),
      concurrent: Type.Optional(
        Type.Integer({ minimum: 1, description: 'Requests under way at a time. Default: not limited.' }),
      ),
      budgets: Type.Optional(
        Type.Array(
          Type.Object(
            {
              usd: Type.Number({ minimum: 0, description: 'Most that may be spent in the window.' }),
              window: Type.Enum(['hour', 'day', 'month', 'total'], {
                description: 'Of the calendar, UTC; `total` never comes back.',
              }),
            },
            closed,
          ),
          { maxItems: 8, description: 'Money, one entry for each window. Default: not limited.' },
        ),
      ),
    },
    { ...closed, description },
  );

/** The section `budgets` of the configuration. */
export const BudgetsSchema = Type.Object(
  {
    reserve: Type.Optional(
      Type.Enum(['usual', 'worst'], {
        description:
          'What a call without max_tokens is reserved for: four times its usual length, or the longest that the expert can give. Default usual.',
      }),
    ),
    keepDays: Type.Optional(
      Type.Integer({
        minimum: 1,
        maximum: 3650,
        description: 'How long single calls and sums by hour are kept; after that, sums by day. Default 31.',
      }),
    ),
    global: Type.Optional(Limits('The gateway as a whole. Default: not limited.')),
    projects: Type.Optional(
      Type.Record(Type.String({ minLength: 1 }), Limits('One project; `default` holds for those not named.'), {
        description: 'Projects by the name that their keys carry.',
      }),
    ),
    users: Type.Optional(
      Type.Record(Type.String({ minLength: 1 }), Limits('One user; `default` holds for each of the others.'), {
        description: 'Users by name, as the key or the request says.',
      }),
    ),
    keys: Type.Optional(
      Type.Object(
        { default: Type.Optional(Limits('Each key that has no limits of its own.')) },
        { ...closed, description: 'Keys.' },
      ),
    ),
  },
  { ...closed, description: 'What may be spent and how much may be asked, by account. Default: nothing is limited.' },
);

/** The section as it stands. */
export interface Budgets
  extends Readonly<Omit<Static<typeof BudgetsSchema>, 'global' | 'projects' | 'users' | 'keys'>> {
  readonly global?: AccountLimits;
  readonly projects?: Readonly<Record<string, AccountLimits>>;
  readonly users?: Readonly<Record<string, AccountLimits>>;
  readonly keys?: { readonly default?: AccountLimits };
}

/** Kinds of accounts, the widest last. */
export type AccountKind = 'key' | 'user' | 'project' | 'gateway';

/** One account that a request counts against. */
export interface Account {
  readonly kind: AccountKind;
  /** As the book has it: id of the key, digest of the user, name of the project; empty for the gateway. */
  readonly id: string;
  /** For people: what an error may say to whoever asks. */
  readonly name: string;
  readonly limits: AccountLimits;
}

/** Whose request it is. */
export interface Owner {
  readonly key: string;
  readonly project: string | undefined;
  /** Digest of the user's name; the name itself is kept nowhere. */
  readonly user: string | undefined;
  /** Those of its accounts that are limited, the narrowest first. */
  readonly limited: readonly Account[];
}

/** Finds the accounts of requests. */
export type OwnerOf = (principal: Principal, user: string | undefined) => Owner;

/** Accounts by one configuration. */
export function ownersOf(budgets: Budgets | undefined): OwnerOf {
  const { global, projects = {}, users = {}, keys = {} } = budgets ?? {};
  const named = (section: Readonly<Record<string, AccountLimits>>, name: string): AccountLimits | undefined =>
    Object.hasOwn(section, name) ? section[name] : section['default'];
  return (principal, requestUser) => {
    const user = principal.user ?? requestUser;
    const digest = user === undefined ? undefined : userDigest(user);
    const key = keyAccountId(principal);
    const limited: Account[] = [];
    const add = (kind: AccountKind, id: string, name: string, limits: AccountLimits | undefined): void => {
      if (isLimited(limits)) limited.push({ kind, id, name, limits });
    };
    add('key', key, principal.name, isLimited(principal.limits) ? principal.limits : keys.default);
    if (user !== undefined) add('user', digest!, user.slice(0, 100), named(users, user));
    if (principal.project !== undefined)
      add('project', principal.project, principal.project, named(projects, principal.project));
    add('gateway', '', 'the gateway', global);
    return { key, project: principal.project, user: digest, limited };
  };
}

/** What stands in the book and in traces in place of a user's name. */
export function userDigest(user: string): string {
  return hash('sha256', `user:${user}`, 'hex').slice(0, 32);
}

/** Keys of the environment have one id for all of them: the digest tells them apart. */
export function keyAccountId({ keyId, keyDigest }: Principal): string {
  return keyId === 'static' && keyDigest !== '' ? `static-${keyDigest.slice(0, 12)}` : keyId;
}

function isLimited(limits: AccountLimits | undefined): limits is AccountLimits {
  return (
    limits !== undefined &&
    (limits.requestsPerMinute !== undefined ||
      limits.tokensPerMinute !== undefined ||
      limits.concurrent !== undefined ||
      (limits.budgets?.length ?? 0) > 0)
  );
}

/** What a key is made with, and what of it may be shown. */
import { GatewrightError } from '@gatewright/kernel';
import Type, { type Static } from 'typebox';
import { Compile } from 'typebox/compile';
import { PRIVACY } from '../config/schema.ts';
import type { KeyRequirements } from '../requirements.ts';
import { type AccountLimits, ROLES, type Role, SCOPES, type Scope } from './principal.ts';

/** A key as it may be shown: everything but the key. */
export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  readonly project: string | null;
  readonly user: string | null;
  readonly roles: readonly Role[];
  /** Null: all. */
  readonly scopes: readonly Scope[] | null;
  /** Null: all. */
  readonly models: readonly string[] | null;
  readonly limits: AccountLimits;
  /** Null: nothing. */
  readonly requires: KeyRequirements | null;
  readonly metadata: Readonly<Record<string, string>>;
  /** Times are ISO 8601, UTC. */
  readonly createdAt: string;
  readonly expiresAt: string | null;
  /** Some seconds behind. */
  readonly lastUsedAt: string | null;
  readonly revokedAt: string | null;
  /** Until when the key before the last rotation still works. */
  readonly overlapUntil: string | null;
  readonly state: 'active' | 'expired' | 'revoked';
}

/** What a key is made with; in a change, what is not named stays. */
export type KeyFields = Static<typeof Fields>;

const closed = { additionalProperties: false } as const;
const orNull = <T extends Type.TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
const Name = Type.String({ minLength: 1, maxLength: 100, pattern: '^[^\\x00-\\x1f\\x7f]+$' });
const Count = Type.Number({ exclusiveMinimum: 0, maximum: 1e12 });

const Limits = Type.Object(
  {
    requestsPerMinute: Type.Optional(Count),
    tokensPerMinute: Type.Optional(Count),
    concurrent: Type.Optional(Type.Integer({ minimum: 1, maximum: 1e9 })),
    budgets: Type.Optional(
      Type.Array(
        Type.Object(
          {
            usd: Type.Number({ minimum: 0, maximum: 1e12 }),
            window: Type.Enum(['hour', 'day', 'month', 'total'] as const),
          },
          closed,
        ),
        { maxItems: 8 },
      ),
    ),
  },
  closed,
);

const Requires = Type.Object(
  {
    residency: Type.Optional(
      Type.Array(Type.String({ pattern: '^[a-z][a-z0-9-]{0,39}$' }), { minItems: 1, maxItems: 64, uniqueItems: true }),
    ),
    privacy: Type.Optional(Type.Enum(PRIVACY)),
  },
  closed,
);

const Fields = Type.Object(
  {
    name: Type.Optional(Name),
    project: Type.Optional(orNull(Name)),
    user: Type.Optional(orNull(Type.String({ minLength: 1, maxLength: 200 }))),
    roles: Type.Optional(Type.Array(Type.Enum(ROLES), { minItems: 1, uniqueItems: true })),
    scopes: Type.Optional(orNull(Type.Array(Type.Enum(SCOPES), { uniqueItems: true }))),
    models: Type.Optional(
      orNull(Type.Array(Type.String({ minLength: 1, maxLength: 104 }), { maxItems: 200, uniqueItems: true })),
    ),
    limits: Type.Optional(Limits),
    requires: Type.Optional(orNull(Requires)),
    metadata: Type.Optional(
      Type.Record(Type.String({ pattern: '^[A-Za-z0-9._-]{1,60}$' }), Type.String({ maxLength: 500 }), {
        ...closed,
        maxProperties: 20,
      }),
    ),
    expiresAt: Type.Optional(orNull(Type.String({ maxLength: 40 }))),
  },
  closed,
);

const validator = Compile(Fields);

/** `2026-01-31T12:00:00Z`, with an optional fraction and offset. Other readings of `Date.parse` differ by platform. */
const TIME = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2})$/;

/**
 * Checks what somebody sent.
 *
 * @throws {GatewrightError} `GW_KEY_FIELD`
 */
export function checkKeyFields(content: unknown): KeyFields {
  if (!validator.Check(content)) {
    // A union fails in each of its branches and then as a whole; the branch that says more comes first.
    const [error] = validator.Errors(content);
    const path = error?.instancePath.slice(1).replaceAll('/', '.') ?? '';
    throw wrong(
      path,
      `${path || 'the body'} ${error?.message ?? 'is not as it should be'}`,
      `Known: ${Object.keys(Fields.properties).join(', ')}; roles ${ROLES.join(', ')}; scopes ${SCOPES.join(', ')}.`,
    );
  }
  refuseKeys(content);
  const { expiresAt } = content;
  if (typeof expiresAt === 'string' && (!TIME.test(expiresAt) || Number.isNaN(Date.parse(expiresAt))))
    throw wrong('expiresAt', 'expiresAt is not a time', 'Write it as 2026-12-31T23:59:59Z, or null for none.');
  return content;
}

/** These fields are kept as they are and shown to every manager: whoever pastes a key into one has given it away. */
function refuseKeys(content: KeyFields): void {
  for (const [name, field] of Object.entries(content))
    if (OWN_KEY.test(JSON.stringify(field)))
      throw wrong(name, `${name} holds a key`, 'Name keys by their ids (vk_...), and rotate the one that was pasted.');
}

/** A key of this gateway, or its beginning (`key-text.ts`). */
const OWN_KEY = /gw-[0-9A-Za-z]{12}_[0-9A-Za-z]{6}/;

/** @throws {GatewrightError} `GW_KEY_FIELD` */
export function wrong(path: string, what: string, fix: string): GatewrightError {
  return new GatewrightError('GW_KEY_FIELD', `The key cannot be as asked: ${what}.`, { path, fix });
}

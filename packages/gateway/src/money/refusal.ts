/** Why a call may not be made: which account, which limit, how much of it is used, when it comes back. */
import { ProviderFailure } from '../providers/failure.ts';
import type { AccountKind } from './accounts.ts';

/** What lacked. */
export interface Shortage {
  readonly account: AccountKind | 'request';
  /** For people. */
  readonly name: string;
  /** What is limited: money, or a rate. */
  readonly what: 'usd' | 'requests' | 'tokens' | 'concurrent';
  readonly window: 'hour' | 'day' | 'month' | 'total' | 'minute' | 'request' | 'now';
  readonly limit: number;
  readonly spent: number;
  readonly reserved: number;
  /** What was asked for beyond. */
  readonly asked: number;
  /** When so much is free again if nothing else is used, milliseconds since 1970; undefined: time alone does not free it. */
  readonly freeAtMs: number | undefined;
}

/** Whoever is at the end of the concurrency limit may try so much later. */
const CONCURRENT_RETRY_MS = 1_000;

/** The failure of a call (or request) that a limit does not cover. Another expert may be cheaper. */
export function refusal(shortage: Shortage, nowMs: number): ProviderFailure {
  return shortage.what === 'usd' ? overBudget(shortage) : overRate(shortage, nowMs);
}

function overBudget(shortage: Shortage): ProviderFailure {
  const { limit, spent, reserved, asked, window, freeAtMs } = shortage;
  const span = window === 'request' ? 'for this request' : window === 'total' ? 'in all' : `for this ${window} (UTC)`;
  return new ProviderFailure(
    'GW_BUDGET',
    `The budget of ${who(shortage)} does not cover this: ${usd(limit)} ${span}, ${usd(spent)} spent, ${usd(reserved)} reserved by calls under way, up to ${usd(asked)} more asked for.`,
    {
      fix:
        freeAtMs !== undefined
          ? `It comes back at ${new Date(freeAtMs).toISOString()}; ask for a shorter answer (max_tokens) or a cheaper mode, or raise the budget.`
          : 'Ask for a shorter answer (max_tokens) or a cheaper mode, or raise the budget.',
      elsewhere: true,
      facts: { limit: factsOf(shortage) },
    },
  );
}

function overRate(shortage: Shortage, nowMs: number): ProviderFailure {
  const { what, limit, spent, reserved, freeAtMs } = shortage;
  const isConcurrent = what === 'concurrent';
  const said = isConcurrent
    ? `${limit} requests of ${who(shortage)} are under way, as many as it may have at a time.`
    : `The limit of ${limit} ${what} a minute of ${who(shortage)} is reached: ${Math.ceil(spent + reserved)} are used, ${Math.ceil(shortage.asked)} more asked for.`;
  const isNever = !isConcurrent && freeAtMs === undefined;
  return new ProviderFailure('GW_RATE_LIMIT', said, {
    fix: isNever
      ? 'It is more than the whole limit: send a shorter prompt, or ask for a shorter answer (max_tokens).'
      : 'Wait for as long as Retry-After says.',
    elsewhere: what === 'tokens',
    facts: { limit: factsOf(shortage) },
    ...(isNever ? {} : { retryAfterMs: isConcurrent ? CONCURRENT_RETRY_MS : Math.max(1, freeAtMs! - nowMs) }),
  });
}

function who({ account, name }: Shortage): string {
  if (account === 'gateway') return 'the gateway';
  // Messages of calls stand in traces, where no user is named.
  if (account === 'user') return 'this user';
  return account === 'request' ? name : `the ${account} ${JSON.stringify(name)}`;
}

/** What the error says to a program. */
function factsOf({ account, name, what, window, limit, spent, reserved, asked, freeAtMs }: Shortage): object {
  return {
    account,
    name,
    what,
    window,
    limit,
    spent,
    reserved,
    asked,
    free_at: freeAtMs === undefined ? null : new Date(freeAtMs).toISOString(),
  };
}

/** An amount for people. */
export function usd(value: number): string {
  return `$${value >= 1 ? value.toFixed(2) : value.toFixed(6).replace(/0{1,4}$/, '')}`;
}

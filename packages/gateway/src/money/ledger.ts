/**
 * Who may spend how much, and what they spent: every call is reserved on all its accounts before it is made and settled
 * after it. The kernel's capacity ledger keeps the limits, the book keeps the money; nothing here waits.
 */
import { type CapacityLedger, calendarStartMs, capacityLedger, type ResourceLimit } from '@gatewright/kernel';
import { countsOf, type Price, priceUsd, type TokenCounts } from '../cost.ts';
import type { CallAccount, CallTicket } from '../drive.ts';
import type { LiveExpert } from '../experts.ts';
import { type AccountLimits, ANYONE, type Principal } from '../identity/principal.ts';
import { ProviderFailure } from '../providers/failure.ts';
import type { ChatRequest, Usage } from '../wire/chat.ts';
import { type Account, type AccountKind, type Budgets, keyAccountId, type Owner, ownersOf } from './accounts.ts';
import { type Book, type CallEntry, type CallKind, openBook, type UsageQuery } from './book.ts';
import { refusal, type Shortage } from './refusal.ts';
import { type Reserve, reserveFor } from './worst-case.ts';

/** Whose request, and what it is. */
export interface AskedAccount {
  readonly principal: Principal;
  /** As the request says; a key that stands for a user wins. */
  readonly user?: string | undefined;
  readonly mode: string;
  readonly dialect: string;
  readonly traceId: string;
  /** The most that all calls of the request may come to, USD. Default: not limited. */
  readonly maxCostUsd?: number | undefined;
}

/** What a call used. What is left out is 0. */
export interface CallUse {
  readonly costUsd: number;
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** What it would have cost more without caches, USD. Default: by the tokens that `usage` calls cached. */
  readonly savedUsd?: number | undefined;
  /** What the provider told, for tokens of other kinds. */
  readonly usage?: Usage | undefined;
  readonly status: 'ok' | 'error' | 'cancelled';
}

/** One request on its accounts. */
export interface RequestAccount extends CallAccount {
  /** For the trace: digests and ids, no name of a user. */
  readonly record: { readonly key: string; readonly project?: string; readonly user?: string };
  reserve(
    expert: LiveExpert,
    body: Pick<ChatRequest, 'max_completion_tokens' | 'max_tokens' | 'n'>,
    promptTokens: number,
    kind?: CallKind,
  ): CallTicket | ProviderFailure;
  /** As `reserve`, for what is no chat call: whoever asks says what it may come to at most. */
  hold(expert: string, most: Reserve, kind: CallKind): CallTicket | ProviderFailure;
  /** Books what was done without having been reserved, such as an answer out of a cache. */
  book(expert: string, kind: CallKind, used: CallUse): void;
  /** `x-ratelimit-...` as OpenAI's clients know them: pairs of name and value, empty where nothing is limited. */
  headers(): readonly (readonly [string, string])[];
  /** The request is over: its place among those under way is free. Idempotent. */
  end(): void;
}

/** One limit and what is left of it. */
export interface LimitState {
  readonly account: AccountKind;
  readonly name: string;
  readonly what: Shortage['what'];
  readonly window: Shortage['window'];
  readonly limit: number;
  readonly spent: number;
  readonly reserved: number;
  /** 0 or more. */
  readonly remaining: number;
  /** When all of it is free again if nothing else is used, milliseconds since 1970; undefined: time alone does not free it. */
  readonly freeAtMs: number | undefined;
}

/** The money of one gateway. */
export interface Ledger {
  /**
   * Lets a request in. Call `end` of what it returns, whatever happens.
   *
   * @throws {ProviderFailure} `GW_RATE_LIMIT` if one of its accounts has too many requests in this minute or under way
   */
  begin(asked: AskedAccount): RequestAccount;
  /** Books a call that was made outside of a request: a probe, a vector for a decision. Nothing is refused. */
  book(asked: AskedAccount, expert: string, kind: CallKind, used: CallUse): void;
  /** What limits whoever asks, and what is left. */
  limitsOf(principal: Principal, user: string | undefined): LimitState[];
  /** What one more call of whoever asks may be reserved for, USD, 0 or more; Infinity where no budget limits it. */
  leftUsd(principal: Principal, user: string | undefined): number;
  /** What a call would be reserved for, USD. */
  reserveUsd(
    expert: LiveExpert,
    body: Pick<ChatRequest, 'max_completion_tokens' | 'max_tokens' | 'n'>,
    promptTokens: number,
  ): number;
  /** Other limits from now on. What is spent stays spent. */
  reconfigure(budgets: Budgets | undefined): void;
  /** Resolves when all that was settled would survive a kill of the process; undefined where nothing waits. */
  kept(): Promise<void> | undefined;
  readonly entries: Book;
  readonly stats: {
    /** Reservations that are open. */
    readonly open: number;
    /** `account window` -> refusals. */
    readonly refused: ReadonlyMap<string, number>;
    /** Project of the configuration -> USD; `other` for the rest, empty for calls without one. */
    readonly spentUsd: ReadonlyMap<string, number>;
  };
  close(): void;
}

/** Whoever the gateway's own calls are booked on. */
export const GATEWAY_ITSELF: Principal = { ...ANYONE, keyId: 'gateway', name: 'the gateway itself' };

interface Resource {
  /** In the kernel's ledger. */
  readonly name: string;
  readonly account: Account;
  readonly what: Shortage['what'];
  readonly window: Shortage['window'];
  readonly limit: number;
  /** Shared with what this resource was before its limit changed: calls that began then end here. */
  readonly held: { amount: number };
}

interface HeldAccount {
  readonly limits: AccountLimits;
  readonly resources: readonly Resource[];
  /** Reservations that are open. */
  open: number;
}

/** Limited accounts in mind; of those beyond, the ones that are idle longest are read from the book again when they come back. */
const MOST_ACCOUNTS = 10_000;
const FOLD_EVERY_MS = 60_000;

/**
 * Opens a ledger.
 *
 * @param book where it is kept; default in memory
 * @param now milliseconds since 1970
 */
export function createLedger(
  budgets: Budgets | undefined,
  book: Book = openBook(),
  now: () => number = Date.now,
): Ledger {
  const limits: CapacityLedger = capacityLedger({});
  const accounts = new Map<string, HeldAccount>();
  const refused = new Map<string, number>();
  const spentUsd = new Map<string, number>();
  let ownerOf = ownersOf(budgets);
  let rule = budgets?.reserve ?? 'usual';
  let projects = new Set(Object.keys(budgets?.projects ?? {}));
  let open = 0;
  const folding = setInterval(() => book.fold(now()), FOLD_EVERY_MS);
  folding.unref();

  const forget = (name: string, held: HeldAccount): void => {
    for (const resource of held.resources) limits.forget(resource.name);
    accounts.delete(name);
  };

  const forgetIdle = (name: string): void => {
    const held = accounts.get(name);
    if (held?.open === 0) forget(name, held);
  };

  /** The account with its limits in force; made, changed or read from the book where need be. */
  const heldOf = (account: Account, nowMs: number): HeldAccount => {
    const name = `${account.kind}:${account.id}`;
    const known = accounts.get(name);
    if (known?.limits === account.limits) {
      if (account.kind === 'user' && accounts.size >= MOST_ACCOUNTS) {
        accounts.delete(name);
        accounts.set(name, known);
      }
      return known;
    }
    if (known === undefined && accounts.size >= MOST_ACCOUNTS)
      for (const [oldest, idle] of accounts) {
        if (idle.open > 0) continue;
        forget(oldest, idle);
        break;
      }
    const resources = resourcesOf(name, account, known?.resources ?? []);
    for (const { resource, limit } of resources) {
      const before = known?.resources.find(({ name }) => name === resource.name);
      limits.limit(
        resource.name,
        limit,
        nowMs,
        before === undefined && resource.what === 'usd' ? book.spentUsd(account, startOf(resource.window, nowMs)) : 0,
      );
    }
    for (const { name } of known?.resources ?? [])
      if (!resources.some(({ resource }) => resource.name === name)) limits.forget(name);
    const held: HeldAccount = {
      limits: account.limits,
      resources: resources.map(({ resource }) => resource),
      open: known?.open ?? 0,
    };
    accounts.set(name, held);
    return held;
  };

  const shortage = (resource: Resource, asked: number, nowMs: number): Shortage => ({
    account: resource.account.kind,
    name: resource.account.name,
    what: resource.what,
    window: resource.window,
    limit: resource.limit,
    spent: Math.max(0, limits.used(resource.name, nowMs) - resource.held.amount),
    reserved: resource.held.amount,
    asked,
    freeAtMs: limits.freeAtMs(resource.name, asked, nowMs),
  });

  const refuse = (lack: Shortage, nowMs: number): ProviderFailure => {
    const name = `${lack.account} ${lack.what === 'usd' ? lack.window : lack.what}`;
    refused.set(name, (refused.get(name) ?? 0) + 1);
    return refusal(lack, nowMs);
  };

  const bookSpending = (project: string | undefined, usd: number): void => {
    const label = project === undefined ? '' : projects.has(project) ? project : 'other';
    spentUsd.set(label, (spentUsd.get(label) ?? 0) + usd);
  };

  /** Reserves all amounts, or says what lacks. Undefined where there is nothing to reserve. */
  const take = (
    resources: readonly Resource[],
    amountOf: (resource: Resource) => number | undefined,
    nowMs: number,
  ): Taken | ProviderFailure | undefined => {
    const amounts: Record<string, number> = {};
    const taken: Resource[] = [];
    for (const resource of resources) {
      const amount = amountOf(resource);
      if (amount === undefined) continue;
      amounts[resource.name] = amount;
      taken.push(resource);
    }
    if (taken.length === 0) return undefined;
    const reservation = limits.reserve(amounts, nowMs);
    if (reservation === undefined) {
      const lacking = limits.lacking(amounts, nowMs);
      const resource = taken.find(({ name }) => name === lacking)!;
      return refuse(shortage(resource, amounts[resource.name]!, nowMs), nowMs);
    }
    for (const { name, held } of taken) held.amount += amounts[name]!;
    return { reservation, amounts, resources: taken };
  };

  const giveBack = ({ reservation, amounts, resources }: Taken, used: Readonly<Record<string, number>>): void => {
    limits.settle(reservation, used);
    // Rounding of sums and differences must not leave less than nothing.
    for (const { name, held } of resources) held.amount = Math.max(0, held.amount - amounts[name]!);
  };

  const entryOf = (
    { mode, dialect, traceId }: AskedAccount,
    owner: Owner,
    expert: string,
    kind: CallKind,
    requests: number,
    most: Reserve,
  ): CallEntry => ({
    id: 0,
    atMs: now(),
    key: owner.key,
    project: owner.project,
    user: owner.user,
    expert,
    mode,
    dialect,
    kind,
    trace: traceId,
    requests,
    status: 'open',
    promptTokens: most.promptTokens,
    completionTokens: most.completionTokens,
    cachedTokens: 0,
    reasoningTokens: 0,
    costUsd: most.costUsd,
    savedUsd: 0,
  });

  const fill = (entry: CallEntry, used: CallUse, price?: Price): void => {
    const { cachedTokens = 0, reasoningTokens = 0 } = used.usage === undefined ? NO_COUNTS : countsOf(used.usage);
    entry.status = used.status;
    entry.promptTokens = used.promptTokens;
    entry.completionTokens = used.completionTokens;
    entry.cachedTokens = cachedTokens;
    entry.reasoningTokens = reasoningTokens;
    entry.costUsd = used.costUsd;
    entry.savedUsd =
      used.savedUsd ?? (price === undefined || cachedTokens === 0 ? 0 : savedUsd(price, used, cachedTokens));
    bookSpending(entry.project, entry.costUsd);
  };

  /** Counts what was not reserved against the limits. */
  const spend = (resources: readonly Resource[], used: CallUse, nowMs: number): void => {
    const amounts: Record<string, number> = {};
    for (const resource of resources) {
      if (resource.what === 'usd') amounts[resource.name] = used.costUsd;
      else if (resource.what === 'tokens') amounts[resource.name] = used.promptTokens + used.completionTokens;
    }
    limits.book(amounts, nowMs);
  };

  return {
    begin(asked) {
      const nowMs = now();
      const owner = ownerOf(asked.principal, asked.user);
      // What a key spends while it has no limits, limits that come later must find in the book.
      if (owner.limited[0]?.kind !== 'key') forgetIdle(`key:${owner.key}`);
      const held = owner.limited.length === 0 ? NOBODY : owner.limited.map((account) => heldOf(account, nowMs));
      const resources = held.flatMap((account) => account.resources);
      const hasMoney = resources.some(({ what }) => what === 'usd');
      const admitted = take(resources, oneRequest, nowMs);
      const headers = (): [string, string][] => rateHeaders(resources, limits, now());
      if (admitted instanceof ProviderFailure) throw withHeaders(admitted, headers());
      for (const account of held) account.open++;
      let isOver = false;
      let entries = 0;
      let reservedUsd = 0;
      let usedUsd = 0;

      const hold = (expert: string, most: Reserve, kind: CallKind, price?: Price): CallTicket | ProviderFailure => {
        const atMs = now();
        const { maxCostUsd } = asked;
        if (maxCostUsd !== undefined && usedUsd + reservedUsd + most.costUsd > maxCostUsd)
          return refuse(overRequest(asked.mode, maxCostUsd, usedUsd, reservedUsd, most.costUsd), atMs);
        const taken = take(
          resources,
          ({ what, limit }) => {
            // What is free is not refused by an empty purse.
            if (what === 'usd') return most.costUsd === 0 ? undefined : most.costUsd;
            // An answer that could take more than a whole minute's share must not be refused for ever.
            if (what === 'tokens')
              return Math.max(most.promptTokens, Math.min(limit, most.promptTokens + most.completionTokens));
            return undefined;
          },
          atMs,
        );
        if (taken instanceof ProviderFailure) return taken;
        reservedUsd += most.costUsd;
        open++;
        for (const account of held) account.open++;
        const entry = entryOf(asked, owner, expert, kind, entries++ === 0 ? 1 : 0, most);
        if (hasMoney) book.openNow(entry);
        else book.open(entry);
        let isSettled = false;
        return {
          settle(used: CallUse) {
            if (isSettled) return;
            isSettled = true;
            open--;
            for (const account of held) account.open--;
            reservedUsd = Math.max(0, reservedUsd - most.costUsd);
            usedUsd += used.costUsd;
            if (taken !== undefined) {
              const actual: Record<string, number> = {};
              for (const { name, what } of taken.resources)
                actual[name] = what === 'usd' ? used.costUsd : used.promptTokens + used.completionTokens;
              giveBack(taken, actual);
            }
            fill(entry, used, price);
            book.settle(entry);
          },
        };
      };

      return {
        record: {
          key: owner.key,
          ...(owner.project === undefined ? {} : { project: owner.project }),
          ...(owner.user === undefined ? {} : { user: owner.user }),
        },
        reserve: (expert, body, promptTokens, kind = 'call') =>
          hold(expert.expert.id, reserveFor(expert, body, promptTokens, rule), kind, expert.expert.price),
        hold: (expert, most, kind) => hold(expert, most, kind),
        book(expert, kind, used) {
          const entry = entryOf(asked, owner, expert, kind, entries++ === 0 ? 1 : 0, NOTHING);
          fill(entry, used);
          spend(resources, used, now());
          usedUsd += used.costUsd;
          book.open(entry);
        },
        headers,
        end() {
          if (isOver) return;
          isOver = true;
          for (const account of held) account.open--;
          if (admitted !== undefined) giveBack(admitted, {});
        },
      };
    },

    book(asked, expert, kind, used) {
      const nowMs = now();
      const owner = ownerOf(asked.principal, asked.user);
      spend(
        owner.limited.flatMap((account) => heldOf(account, nowMs).resources),
        used,
        nowMs,
      );
      const entry = entryOf(asked, owner, expert, kind, 0, NOTHING);
      fill(entry, used);
      book.open(entry);
    },

    limitsOf(principal, user) {
      const nowMs = now();
      return ownerOf(principal, user).limited.flatMap((account) =>
        heldOf(account, nowMs).resources.map((resource) => {
          const { account: kind, asked: _, ...state } = shortage(resource, resource.limit, nowMs);
          return {
            ...state,
            account: kind as AccountKind,
            remaining: Math.max(0, resource.limit - state.spent - state.reserved),
          };
        }),
      );
    },

    leftUsd(principal, user) {
      const { limited } = ownerOf(principal, user);
      if (limited.length === 0) return Infinity;
      const nowMs = now();
      let leftUsd = Infinity;
      for (const account of limited)
        for (const { what, limit, name } of heldOf(account, nowMs).resources)
          if (what === 'usd') leftUsd = Math.min(leftUsd, Math.max(0, limit - limits.used(name, nowMs)));
      return leftUsd;
    },
    reserveUsd: (expert, body, promptTokens) => reserveFor(expert, body, promptTokens, rule).costUsd,

    reconfigure(changed) {
      ownerOf = ownersOf(changed);
      rule = changed?.reserve ?? 'usual';
      projects = new Set(Object.keys(changed?.projects ?? {}));
      // Read from the book again when they are needed: until then they may have no limits, and spend without them.
      for (const name of [...accounts.keys()]) forgetIdle(name);
    },
    kept: () => book.kept(),
    entries: book,
    stats: {
      get open() {
        return open;
      },
      refused,
      spentUsd,
    },
    close() {
      clearInterval(folding);
      book.close();
    },
  };
}

/** A reservation in the kernel's ledger and what of it lies on which resource. */
interface Taken {
  readonly reservation: number;
  readonly amounts: Readonly<Record<string, number>>;
  readonly resources: readonly Resource[];
}

const NOBODY: readonly HeldAccount[] = [];
const NO_COUNTS: Partial<TokenCounts> = {};
const NOTHING: Reserve = { promptTokens: 0, completionTokens: 0, costUsd: 0 };
const PER_MINUTE = { use: 'spent', periodMs: 60_000 } as const;

/** What the provider's cache has saved: the cached tokens at the price of others, less what they cost. */
function savedUsd(price: Price, { promptTokens, completionTokens }: CallUse, cachedTokens: number): number {
  const whole = priceUsd({ price }, { promptTokens, completionTokens });
  return Math.max(0, whole - priceUsd({ price }, { promptTokens, completionTokens, cachedTokens }));
}

function oneRequest({ what }: Resource): number | undefined {
  return what === 'requests' || what === 'concurrent' ? 1 : undefined;
}

function resourcesOf(
  name: string,
  account: Account,
  before: readonly Resource[],
): { resource: Resource; limit: ResourceLimit }[] {
  const { requestsPerMinute, tokensPerMinute, concurrent, budgets = [] } = account.limits;
  const found: { resource: Resource; limit: ResourceLimit }[] = [];
  const add = (what: Resource['what'], window: Resource['window'], limit: ResourceLimit): void => {
    const full = `${name}|${what}|${window}`;
    const held = before.find((known) => known.name === full)?.held ?? { amount: 0 };
    found.push({ resource: { name: full, account, what, window, limit: limit.capacity, held }, limit });
  };
  if (requestsPerMinute !== undefined) add('requests', 'minute', { capacity: requestsPerMinute, ...PER_MINUTE });
  if (tokensPerMinute !== undefined) add('tokens', 'minute', { capacity: tokensPerMinute, ...PER_MINUTE });
  if (concurrent !== undefined) add('concurrent', 'now', { capacity: concurrent, use: 'held' });
  for (const window of ['hour', 'day', 'month', 'total'] as const) {
    // Of two budgets for one window the smaller one holds.
    const capacity = Math.min(...budgets.filter((budget) => budget.window === window).map(({ usd }) => usd));
    if (capacity < Infinity)
      add('usd', window, { capacity, use: 'spent', ...(window === 'total' ? {} : { calendar: window }) });
  }
  return found;
}

function startOf(window: Resource['window'], nowMs: number): number {
  return window === 'hour' || window === 'day' || window === 'month' ? calendarStartMs(window, nowMs) : 0;
}

function overRequest(mode: string, limit: number, spent: number, reserved: number, asked: number): Shortage {
  return {
    account: 'request',
    name: `one request of ${mode}`,
    what: 'usd',
    window: 'request',
    limit,
    spent,
    reserved,
    asked,
    freeAtMs: undefined,
  };
}

function withHeaders(failure: ProviderFailure, headers: readonly (readonly [string, string])[]): ProviderFailure {
  return new ProviderFailure(failure.code, failure.message, {
    fix: failure.fix,
    elsewhere: failure.elsewhere,
    facts: { ...failure.facts, headers: headers.flat() },
    ...(failure.retryAfterMs === undefined ? {} : { retryAfterMs: failure.retryAfterMs }),
  });
}

/** Of several limits of a kind, the one with the least left is told. */
function rateHeaders(resources: readonly Resource[], limits: CapacityLedger, nowMs: number): [string, string][] {
  const headers: [string, string][] = [];
  for (const what of ['requests', 'tokens'] as const) {
    let tightest: Resource | undefined;
    let least = Infinity;
    for (const resource of resources) {
      if (resource.what !== what) continue;
      const left = resource.limit - limits.used(resource.name, nowMs);
      if (left >= least) continue;
      least = left;
      tightest = resource;
    }
    if (tightest === undefined) continue;
    const freeMs = limits.freeAtMs(tightest.name, tightest.limit, nowMs) ?? nowMs;
    headers.push(
      [`x-ratelimit-limit-${what}`, String(tightest.limit)],
      [`x-ratelimit-remaining-${what}`, String(Math.max(0, Math.floor(least)))],
      [`x-ratelimit-reset-${what}`, shownSpan(freeMs - nowMs)],
    );
  }
  return headers;
}

/** As OpenAI writes a span: `120ms`, `59s`, `1m0s`. */
export function shownSpan(ms: number): string {
  if (ms <= 0) return '0s';
  if (ms < 1_000) return `${Math.ceil(ms)}ms`;
  const seconds = Math.ceil(ms / 1_000);
  return seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60}s`;
}

/** What somebody may see of what was asked for: an admin all, anybody else the calls of the own key. */
export function ownUsage(principal: Principal, query: UsageQuery): UsageQuery {
  if (principal.roles.includes('admin')) return query;
  const own = keyAccountId(principal);
  const isOwn = query.filter.key?.includes(own) ?? true;
  return { ...query, filter: { ...query.filter, key: isOwn ? [own] : [] } };
}

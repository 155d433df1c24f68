/**
 * The response caches around a drive: what is known is delivered as if an expert said it now, what is not is driven and
 * kept, and identical requests at the same time share one call.
 *
 * It stands behind the decision, so that a hit obeys it: an answer of an expert that a constraint of this request removes is
 * not given. (An expert that is merely cooling down may still be quoted: that is when a cache is worth most.)
 */
import type { CacheRecord } from '@gatewright/kernel';
import type { Delivery, Drive, DriveResult } from '../drive.ts';
import type { LiveExpert } from '../experts.ts';
import type { RequestHints } from '../features/hints.ts';
import { ANYONE, type Principal } from '../identity/principal.ts';
import type { Decision } from '../pipeline.ts';
import { ProviderFailure } from '../providers/failure.ts';
import { deadlineOf } from '../resilience/deadline.ts';
import { type Assembler, assembler, chunksOf } from '../wire/assemble.ts';
import type { ChatChunk, ChatCompletion, ChatRequest } from '../wire/chat.ts';
import type { CacheCounts, CachedAnswer, CacheFound, CacheScope } from './cache.ts';
import { type CacheControl, cacheControlOf } from './control.ts';
import { exactCache } from './exact.ts';
import { fingerprint, scopeOf } from './fingerprint.ts';
import type { SemanticCache } from './semantic.ts';

/** Settings of the exact cache, for one mode. */
export interface ExactCacheSettings {
  readonly ttlMs: number;
  readonly scope: CacheScope;
  /** Only requests with `temperature: 0`. */
  readonly onlyDeterministic: boolean;
}

/** A request that has been decided. */
export interface CacheableRequest {
  readonly request: ChatRequest;
  readonly hints: RequestHints | undefined;
  /** Of the decision, where the client chose it. */
  readonly seed: number | undefined;
  readonly principal: Principal | undefined;
  readonly headers: Readonly<Record<string, string | string[] | undefined>> | undefined;
  readonly decision: Decision;
  readonly configHash: string;
  readonly traceId: string;
  readonly delivery: Delivery;
  readonly hidesUsage: boolean;
  readonly keepText: boolean;
  /** Undefined where the mode has no cache. */
  readonly settings: ExactCacheSettings | undefined;
}

/**
 * Drives the request.
 *
 * @param hidesUsage false where the cache wants to see it: it hides it itself
 * @param waitedMs of the time that the client gives the request, what was spent on waiting for somebody else's call
 */
export type StartDrive = (delivery: Delivery, hidesUsage: boolean, waitedMs?: number) => Drive;

/** What became of a request. */
export type CacheOutcome = 'hit' | 'joined' | 'miss' | 'off';

/** The response caches of one gateway. They outlive a reload of the configuration. */
export interface ResponseCache {
  /** Answers from a cache, or starts the drive and keeps its answer. */
  drive(asked: CacheableRequest, start: StartDrive): Drive;
  resize(maxBytes: number): void;
  counts(): CacheCounts;
  /** Calls that identical requests may wait for, and how many do. */
  underWay(): { readonly calls: number; readonly followers: number };
}

/** One call that others may wait for. */
interface Flight {
  readonly traceId: string;
  followers: number;
  /** The answer when it is whole; undefined if it came to nothing that may be given to others. */
  readonly answer: Promise<CachedAnswer | undefined>;
  /** A follower has gone. */
  leave(): void;
}

/** More than this wait for one call: the next one makes its own. */
const MOST_FOLLOWERS = 256;
/** Whoever has waited this long asks by himself, milliseconds. Longer than most answers take, shorter than most clients wait. */
const LONGEST_WAIT_MS = 20_000;
/** Ends of an answer that is whole. */
const WHOLE = new Set(['stop', 'tool_calls', 'function_call']);

/** What response caches need of the world. */
export interface ResponseCacheOptions {
  readonly maxBytes: number;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly onOutcome: (outcome: CacheOutcome, kind: 'exact' | 'semantic', savedUsd: number) => void;
  /** Undefined: none. */
  readonly semantic: () => SemanticCache | undefined;
}

/** Creates the response caches. */
export function responseCache({ maxBytes, now, onOutcome, semantic }: ResponseCacheOptions): ResponseCache {
  const exact = exactCache(maxBytes);
  let largestCharacters = maxBytes / 16;
  const flights = new Map<string, Flight>();

  return {
    drive(asked, start) {
      const { settings, request } = asked;
      if (settings === undefined) return start(asked.delivery, asked.hidesUsage);
      const control = cacheControlOf(asked.headers);
      const mayCache = (control.reads || control.writes) && (!settings.onlyDeterministic || request.temperature === 0);
      const scope = scopeOf(settings.scope, asked.principal ?? ANYONE);
      const key = mayCache ? fingerprint(request, asked.hints, asked.seed, scope, asked.configHash) : undefined;
      if (key === undefined && !control.isOnly) {
        onOutcome('off', 'exact', 0);
        return Object.assign(start(asked.delivery, asked.hidesUsage), { cache: { outcome: 'off' } as const });
      }
      return key === undefined ? missOnly() : cached(asked, settings, control, key, scope, start);
    },
    resize(most) {
      largestCharacters = most / 16;
      exact.resize(most);
    },
    counts: exact.counts,
    underWay() {
      let followers = 0;
      for (const flight of flights.values()) followers += flight.followers;
      return { calls: flights.size, followers };
    },
  };

  function missOnly(): Drive {
    onOutcome('miss', 'exact', 0);
    return { done: Promise.resolve(missed()), cancel() {}, cache: { outcome: 'miss' } };
  }

  function cached(
    asked: CacheableRequest,
    { ttlMs }: ExactCacheSettings,
    control: CacheControl,
    key: string,
    scope: string,
    start: StartDrive,
  ): Drive {
    const maxAgeMs = Math.min(ttlMs, control.maxAgeMs);
    const { promise: gone, resolve: leave } = Promise.withResolvers<void>();
    let isCancelled = false;
    let cancelInner: (() => void) | undefined;
    let state: NonNullable<Drive['cache']> = { outcome: 'miss' };

    // Who chose the seed of the decision wants that decision, not one to another text.
    const other = asked.seed === undefined ? semantic() : undefined;
    const question = { request: asked.request, hints: asked.hints, scope, configHash: asked.configHash };
    const lookUp = (): CacheFound | undefined => {
      const nowMs = now();
      const answer = exact.get(key, maxAgeMs, nowMs);
      if (usable(answer, asked) !== undefined)
        return { answer: answer!, kind: 'exact', ageMs: Math.max(0, nowMs - answer!.storedMs) };
      const near = other?.find(question, maxAgeMs, nowMs);
      return usable(near?.answer, asked) === undefined ? undefined : near;
    };
    const found = control.reads ? lookUp() : undefined;
    const done = found === undefined ? proceed() : serve(found, undefined);
    return {
      done,
      cancel() {
        if (isCancelled) return;
        isCancelled = true;
        leave();
        cancelInner?.();
      },
      get cache() {
        return state;
      },
    };

    function proceed(): Promise<DriveResult> {
      if (control.isOnly) {
        onOutcome('miss', 'exact', 0);
        return Promise.resolve(missed());
      }
      const flight = control.reads ? flights.get(key) : undefined;
      return flight !== undefined && flight.followers < MOST_FOLLOWERS ? follow(flight) : lead();
    }

    async function follow(flight: Flight): Promise<DriveResult> {
      const sinceMs = now();
      flight.followers++;
      let timer: NodeJS.Timeout | undefined;
      const deadlineMs = deadlineOf(asked.headers) ?? Infinity;
      const late = new Promise<undefined>((resolve) => {
        timer = setTimeout(resolve, Math.min(LONGEST_WAIT_MS, deadlineMs), undefined);
      });
      const answer = await Promise.race([flight.answer, late, gone.then(() => undefined)]);
      clearTimeout(timer);
      flight.followers--;
      flight.leave();
      if (isCancelled) return cancelled();
      const waitedMs = Math.max(0, now() - sinceMs);
      if (usable(answer, asked) !== undefined) return serve({ answer: answer!, kind: 'exact', ageMs: 0 }, waitedMs);
      return waitedMs < deadlineMs ? lead(waitedMs) : tooLate(deadlineMs);
    }

    function lead(waitedMs = 0): Promise<DriveResult> {
      onOutcome('miss', 'exact', 0);
      const { delivery, hidesUsage, traceId } = asked;
      const { promise: answer, resolve: land } = Promise.withResolvers<CachedAnswer | undefined>();
      let isGone = false;
      let recorder: Assembler | undefined = control.writes ? assembler() : undefined;
      const inner = start(
        {
          begin(expert, confidence, lost) {
            if (!isGone) delivery.begin(expert, confidence, lost);
          },
          chunk(data, chunk) {
            recorder?.add(chunk);
            if (recorder !== undefined && recorder.characters > largestCharacters) recorder = undefined;
            return isGone ? undefined : show(delivery, data, chunk, hidesUsage);
          },
        },
        false,
        waitedMs,
      );
      // Another one may lead already: who asked for a fresh answer, or has waited too long, makes its own call.
      const flight: Flight = {
        traceId,
        followers: 0,
        answer,
        leave() {
          if (isGone && flight.followers === 0) inner.cancel();
        },
      };
      const isShared = control.writes && !flights.has(key);
      if (isShared) flights.set(key, flight);
      cancelInner = () => {
        isGone = true;
        // Whoever waits for this call keeps it alive: a client that leaves takes its own answer with it and no other's.
        if (flight.followers === 0) inner.cancel();
      };
      if (isCancelled) cancelInner();
      const end = (kept: CachedAnswer | undefined): void => {
        if (isShared) flights.delete(key);
        land(kept);
      };
      return inner.done.then(
        (result) => {
          const kept = control.writes ? answerOf(result, recorder, asked, now()) : undefined;
          if (kept !== undefined) {
            exact.put(key, kept);
            other?.put(question, kept);
          }
          end(kept);
          return isGone && result.status === 'ok'
            ? { ...result, status: 'cancelled', reason: 'the client went away; others waited for the answer' }
            : result;
        },
        (error: unknown) => {
          end(undefined);
          throw error;
        },
      );
    }

    async function serve(
      { answer, kind, ageMs, similarity }: CacheFound,
      waitedMs: number | undefined,
    ): Promise<DriveResult> {
      const expert = usable(answer, asked) && expertOf(answer, asked.decision)!;
      state = { outcome: 'hit', ageMs };
      // Whoever asked holds nothing of this drive yet: what it delivers comes later.
      await null;
      if (isCancelled) return cancelled();
      onOutcome(waitedMs === undefined ? 'hit' : 'joined', kind, answer.costUsd);
      const body = JSON.parse(answer.data) as ChatCompletion;
      const { request, delivery, hidesUsage, keepText } = asked;
      if (request.stream === true) {
        delivery.begin(expert as LiveExpert, answer.confidence, answer.notCarried);
        for (const chunk of chunksOf(body)) {
          const wait = show(delivery, undefined, chunk, hidesUsage);
          if (wait !== undefined) await wait;
          if (isCancelled) return cancelled();
        }
      }
      const record: CacheRecord = {
        kind,
        joined: waitedMs !== undefined,
        ageMs,
        source: answer.source,
        savedUsd: answer.costUsd,
        ...(waitedMs === undefined ? {} : { waitedMs }),
        ...(similarity === undefined ? {} : { similarity }),
      };
      const content = body.choices[0]?.message.content;
      return {
        status: 'ok',
        reason: waitedMs === undefined ? `${kind} cache hit` : 'answer of an identical request under way',
        verdict: undefined,
        calls: [],
        costUsd: 0,
        expert: expert as LiveExpert,
        confidence: answer.confidence,
        completion: request.stream === true ? undefined : { data: answer.data, body },
        notCarried: answer.notCarried,
        failure: undefined,
        text: keepText && typeof content === 'string' ? content : '',
        cache: record,
      };
    }
  }
}

/** The answer, if whoever gave it may answer this request too. */
function usable(answer: CachedAnswer | undefined, { decision }: CacheableRequest): CachedAnswer | undefined {
  return answer !== undefined && expertOf(answer, decision) !== undefined ? answer : undefined;
}

/** Constraints that say how an expert is, not what it may see. */
const PASSING = new Set(['breaker', 'drained', 'budget']);

function expertOf(answer: CachedAnswer, { mode, removed }: Decision): LiveExpert | undefined {
  if (removed.some(({ expert, constraint }) => expert === answer.expert && !PASSING.has(constraint))) return undefined;
  return mode.experts.find(({ expert }) => expert.id === answer.expert);
}

/** What may be given to others: a whole answer that ended as answers end. */
function answerOf(
  result: DriveResult,
  recorder: Assembler | undefined,
  { request, traceId }: CacheableRequest,
  nowMs: number,
): CachedAnswer | undefined {
  const { status, expert, confidence, costUsd, notCarried } = result;
  if (status !== 'ok' || expert === undefined) return undefined;
  const isStream = request.stream === true;
  const body = isStream ? recorder?.completion() : result.completion?.body;
  if (body === undefined || !Array.isArray(body.choices) || body.choices.length === 0) return undefined;
  if (!body.choices.every(({ finish_reason: reason }) => reason !== null && WHOLE.has(reason))) return undefined;
  const data = isStream ? JSON.stringify(body) : result.completion!.data;
  return { data, expert: expert.expert.id, source: traceId, costUsd, confidence, notCarried, storedMs: nowMs };
}

/** Hands a chunk on, without the usage that the client did not ask for. */
function show(
  delivery: Delivery,
  data: string | undefined,
  chunk: ChatChunk,
  hidesUsage: boolean,
): void | Promise<void> {
  if (!hidesUsage || chunk.usage == null) return delivery.chunk(data ?? JSON.stringify(chunk), chunk);
  if (chunk.choices.length === 0) return undefined;
  const { usage: _, ...rest } = chunk;
  return delivery.chunk(JSON.stringify(rest), rest as ChatChunk);
}

function missed(): DriveResult {
  return empty(
    'error',
    'no answer in the cache',
    new ProviderFailure('GW_CACHE_MISS', 'There is no answer to this request in the cache.', {
      fix: 'Ask without "x-gw-cache: only" (or "cache-control: only-if-cached").',
      elsewhere: false,
    }),
  );
}

function tooLate(deadlineMs: number): DriveResult {
  return empty(
    'error',
    "the request's own time limit was over",
    new ProviderFailure('GW_REQUEST_DEADLINE', `No answer within ${deadlineMs} ms.`, {
      fix: 'Give it more time: x-gw-timeout-ms.',
      elsewhere: false,
    }),
  );
}

function cancelled(): DriveResult {
  return empty('cancelled', 'the client went away', undefined);
}

function empty(status: 'error' | 'cancelled', reason: string, failure: ProviderFailure | undefined): DriveResult {
  return {
    status,
    reason,
    verdict: undefined,
    calls: [],
    costUsd: 0,
    expert: undefined,
    confidence: undefined,
    completion: undefined,
    notCarried: [],
    failure,
    text: '',
  };
}

/** Asks one expert for a probe: patient, never more at once than allowed, and never beyond its budget. */
import { isGatewrightError } from '@gatewright/kernel';
import type { Expert } from '../config/config.ts';
import { priceUsd } from '../cost.ts';
import type { Ask, ProbeBody, Reply } from '../probes/probe.ts';
import { choiceCollector, choicesOfCompletion, usageOf } from '../probes/reply.ts';
import { ProviderFailure } from '../providers/failure.ts';
import type { Provider, RunningCall } from '../providers/provider.ts';
import type { ChatRequest } from '../wire/chat.ts';
import { ProbeHalt } from './halt.ts';

/** What an asker needs of the world. */
export interface AskerOptions {
  readonly expert: Expert;
  readonly provider: Provider;
  readonly budgetUsd: number;
  /** Calls under way at most. */
  readonly concurrency: number;
  readonly stop: AbortSignal;
  /** Monotonic clock, milliseconds. */
  readonly now: () => number;
  /** Waits; ends early when the signal fires. */
  readonly sleep: (durationMs: number, stop: AbortSignal) => Promise<void>;
  /** Told of waits, for people. */
  readonly note: (line: string) => void;
}

/** An asker and its books. */
export interface Asker {
  readonly ask: Ask;
  readonly totals: Totals;
}

/** What was asked so far. */
export interface Totals {
  calls: number;
  /** Calls that ended in a failure, those that were repeated among them. */
  failures: number;
  costUsd: number;
  promptTokens: number;
  completionTokens: number;
  /** Answers with token counts that can be. */
  answersWithUsage: number;
  answers: number;
  rateLimits: number;
  /** Largest completion tokens reported over the limit that was sent; above 1 the limit is not honoured. */
  overrun: number;
  /** What had to be said differently for this expert. */
  readonly dialect: Set<string>;
}

/** A wait longer than this is not waited for. */
const LONGEST_WAIT_MS = 60_000;
const FIRST_WAIT_MS = 1_000;
const RATE_LIMIT_TRIES = 5;
/** Broken connections and server errors are tried this often in all. */
const FAULT_TRIES = 2;
const FAULT_WAIT_MS = 250;
/** An answer that ran out of room is asked for again with so many times the room. */
const MORE_ROOM = 8;
/** After so many calls in a row that nobody answered the rest is not tried. */
const FAULTS_TO_GIVE_UP = 6;
/** A model's chat template adds some tokens around each message. */
const TEMPLATE_TOKENS = 64;
/** No image of a check costs more with the models that publish a formula. */
const IMAGE_TOKENS = 1_500;

/**
 * Makes an asker.
 *
 * Before each call it sets aside the most the call can cost: one token per byte of the request (no tokenizer makes more), and the
 * whole room for the answer, in every choice. Afterwards it books what the reported tokens cost, or all that was set
 * aside where none were reported. An expert that does not honour the limit on its answer is met with a larger reserve from
 * its next call on.
 */
export function createAsker(options: AskerOptions): Asker {
  const { expert, provider, budgetUsd, concurrency, stop, now, sleep, note } = options;
  const totals: Totals = {
    calls: 0,
    failures: 0,
    costUsd: 0,
    promptTokens: 0,
    completionTokens: 0,
    answersWithUsage: 0,
    answers: 0,
    rateLimits: 0,
    overrun: 1,
    dialect: new Set(),
  };
  let reservedUsd = 0;
  let underWay = 0;
  let waiting: (() => void)[] = [];
  let notBeforeMs = 0;
  let faultsInARow = 0;
  let room = 1;

  const wakeAll = (): void => {
    const woken = waiting;
    waiting = [];
    for (const wake of woken) wake();
  };
  stop.addEventListener('abort', wakeAll, { once: true });

  /** Waits for a place and for money. */
  const enter = async (mostUsd: () => number): Promise<number> => {
    for (;;) {
      if (stop.aborted) throw new ProbeHalt('stopped', 'stopped');
      if (faultsInARow >= FAULTS_TO_GIVE_UP) throw new ProbeHalt('unreachable', 'the expert stopped answering');
      const reserveUsd = mostUsd();
      const isAffordable = totals.costUsd + reservedUsd + reserveUsd <= budgetUsd;
      if (!isAffordable && underWay === 0) throw new ProbeHalt('budget', 'not asked, the budget does not allow it');
      if (isAffordable && underWay < concurrency) {
        underWay++;
        reservedUsd += reserveUsd;
        return reserveUsd;
      }
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };

  const waitOut = async (): Promise<void> => {
    const waitMs = notBeforeMs - now();
    if (waitMs <= 0) return;
    if (waitMs > LONGEST_WAIT_MS)
      throw new ProbeHalt('unreachable', `the expert asks to be left alone for ${Math.ceil(waitMs / 1000)} s`);
    await sleep(waitMs, stop);
    if (stop.aborted) throw new ProbeHalt('stopped', 'stopped');
  };

  const once = async (body: ProbeBody, stream: boolean, seed: number): Promise<Reply> => {
    await waitOut();
    const request = spoken(body, totals.dialect);
    const reserveUsd = await enter(() => mostCostUsd(expert, request, body, totals.overrun));
    let costUsd = reserveUsd;
    let call: RunningCall | undefined;
    const cancel = (): void => call?.cancel();
    try {
      // Whoever waited for a place may have been overtaken by a rate limit.
      await waitOut();
      stop.addEventListener('abort', cancel, { once: true });
      const startedMs = now();
      let firstTokenMs: number | undefined;
      let chunks = 0;
      const collector = choiceCollector();
      totals.calls++;
      call = provider.start(
        { body: request, stream, traceId: `probe-${totals.calls}`, seed },
        {
          onChunk(_, chunk) {
            if (!collector.add(chunk)) return;
            chunks++;
            firstTokenMs ??= now() - startedMs;
          },
        },
      );
      const { completion, usage: reported, costUsd: told } = await call.answer;
      const usage = usageOf(reported);
      if (usage !== undefined) costUsd = told ?? priceUsd(expert, usage);
      book(usage, body);
      faultsInARow = 0;
      return {
        choices: completion === undefined ? collector.choices() : choicesOfCompletion(completion.body),
        totalMs: now() - startedMs,
        firstTokenMs,
        chunks,
        usage,
        costUsd,
      };
    } catch (error) {
      if (isGatewrightError(error)) {
        totals.failures++;
        if (FREE.has(error.code) || call === undefined) costUsd = 0;
      } else if (call === undefined) costUsd = 0;
      throw error;
    } finally {
      stop.removeEventListener('abort', cancel);
      underWay--;
      reservedUsd -= reserveUsd;
      totals.costUsd += costUsd;
      wakeAll();
    }
  };

  const book = (usage: Reply['usage'], body: ProbeBody): void => {
    totals.answers++;
    if (usage === undefined) return;
    totals.answersWithUsage++;
    totals.promptTokens += usage.promptTokens;
    totals.completionTokens += usage.completionTokens;
    totals.overrun = Math.max(totals.overrun, usage.completionTokens / (body.maxTokens * (body.n ?? 1)));
  };

  return {
    totals,
    async ask(body, { stream = false, seed = 0 } = {}) {
      const roomy = { ...body, maxTokens: body.maxTokens * room };
      const reply = await patiently(roomy, stream, seed);
      const isCut = reply.choices.some(({ finishReason }) => finishReason === 'length');
      const isEmpty = isCut && reply.choices.every(({ text }) => text.trim() === '');
      if (!isCut || room > 1 || (body.mayBeCut === true && !isEmpty)) return reply;
      // Whoever thinks before it answers spends its room before the first word.
      if (isEmpty) {
        room = MORE_ROOM;
        totals.dialect.add(`${MORE_ROOM} times the usual room: it thinks before it answers`);
      }
      return patiently({ ...body, maxTokens: body.maxTokens * MORE_ROOM }, stream, seed);
    },
  };

  async function patiently(body: ProbeBody, stream: boolean, seed: number): Promise<Reply> {
    let faults = 0;
    let rateLimits = 0;
    for (;;) {
      try {
        return await once(body, stream, seed);
      } catch (error) {
        if (stop.aborted) throw new ProbeHalt('stopped', 'stopped');
        if (!(error instanceof ProviderFailure)) throw error;
        const other = otherDialect(error, totals.dialect);
        if (other !== undefined) {
          totals.dialect.add(other);
          continue;
        }
        if (error.code === 'GW_UPSTREAM_RATE_LIMIT') {
          totals.rateLimits++;
          const waitMs = error.retryAfterMs ?? FIRST_WAIT_MS * 2 ** rateLimits;
          notBeforeMs = Math.max(notBeforeMs, now() + waitMs);
          if (++rateLimits >= RATE_LIMIT_TRIES) throw error;
          if (waitMs <= LONGEST_WAIT_MS) note(`rate limit: waiting ${waitMs} ms`);
          continue;
        }
        if (!FAULTS.has(error.code)) throw error;
        faultsInARow++;
        if (++faults >= FAULT_TRIES) throw error;
        await sleep(FAULT_WAIT_MS, stop);
      }
    }
  }
}

/** Failures for which nobody charges. */
const FREE = new Set([
  'GW_UPSTREAM_REJECTED',
  'GW_UPSTREAM_RATE_LIMIT',
  'GW_UPSTREAM_AUTH',
  'GW_UPSTREAM_CONNECT',
  'GW_UPSTREAM_STATUS',
  'GW_REPLAY_MISS',
]);
/** Failures of the line or the server rather than of the answer: they say nothing about a capability. */
const FAULTS = new Set(['GW_UPSTREAM_CONNECT', 'GW_UPSTREAM_RESET', 'GW_UPSTREAM_TIMEOUT', 'GW_UPSTREAM_STATUS']);

/** Whether a failed call tells something about what the expert can do. */
export function isEvidence(failure: ProviderFailure): boolean {
  return (
    failure.code === 'GW_UPSTREAM_REJECTED' ||
    failure.code === 'GW_UPSTREAM_MALFORMED' ||
    failure.code === 'GW_UPSTREAM_TRUNCATED' ||
    failure.code === 'GW_UPSTREAM_TOO_LARGE' ||
    failure.code === 'GW_UPSTREAM_ERROR_EVENT' ||
    // Some say so where a model has no such feature.
    (failure.code === 'GW_UPSTREAM_STATUS' && (failure.status === 404 || failure.status === 501))
  );
}

const NEW_LIMIT = 'max_completion_tokens instead of max_tokens';
const NO_TEMPERATURE = 'no temperature';

/** What to say differently after a refusal that is about the words rather than the capability; undefined for none. */
function otherDialect(failure: ProviderFailure, known: ReadonlySet<string>): string | undefined {
  if (failure.code !== 'GW_UPSTREAM_REJECTED') return undefined;
  const said = `${failure.upstream?.['param'] ?? ''} ${failure.upstream?.['message'] ?? ''}`;
  if (
    /max_tokens|max_completion_tokens/.test(said) &&
    /unsupported|not supported|instead/i.test(said) &&
    !known.has(NEW_LIMIT)
  )
    return NEW_LIMIT;
  if (/temperature/.test(said) && !known.has(NO_TEMPERATURE)) return NO_TEMPERATURE;
  return undefined;
}

function spoken(body: ProbeBody, dialect: ReadonlySet<string>): ChatRequest {
  const { maxTokens, mayBeCut: _, temperature, ...rest } = body;
  return {
    model: 'probe',
    ...rest,
    ...(temperature === undefined || dialect.has(NO_TEMPERATURE) ? {} : { temperature }),
    [dialect.has(NEW_LIMIT) ? 'max_completion_tokens' : 'max_tokens']: maxTokens,
  };
}

function mostCostUsd(expert: Expert, request: ChatRequest, body: ProbeBody, overrun: number): number {
  const images = request.messages.flatMap(({ content }) =>
    Array.isArray(content) ? content.filter(({ type }) => type === 'image_url') : [],
  ).length;
  return priceUsd(expert, {
    promptTokens:
      Buffer.byteLength(JSON.stringify(request)) +
      TEMPLATE_TOKENS * (1 + request.messages.length) +
      IMAGE_TOKENS * images,
    completionTokens: Math.ceil(body.maxTokens * (body.n ?? 1) * overrun),
  });
}

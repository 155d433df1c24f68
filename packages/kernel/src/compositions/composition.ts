/**
 * A composition decides how a ranked list of experts is used to make one answer. It is a generator: it yields the calls
 * to make now and receives their outcomes. It never does I/O, so the gateway drives it with live calls, a replay with
 * recorded ones, a simulator with modelled ones and a test with an array.
 */
import type { StatedError } from '../calibration/acceptance-claim.ts';
import type { AnswerExtractor } from '../confidence/extract/extractor.ts';

/** One call to make. */
export interface Call {
  /** Position in the ranked list: 0 is the policy's first choice. */
  readonly rank: number;
  /**
   * When the client may see what the call produces:
   * - `content`: as soon as its first content arrives (after that nobody else can answer);
   * - `accept`: only once the composition returns it.
   */
  readonly release: 'content' | 'accept';
}

/** What to do next. */
export type Step =
  /** Make the calls at once, wait for all. */
  | { readonly kind: 'all'; readonly calls: readonly Call[] }
  /**
   * Start the calls one after another, `staggerMs` apart (the next one also starts as soon as all before it failed).
   * The first success wins (for `release: 'content'` the first content), the others are cancelled or never started.
   * A failure that is the request's own fault ends the race too. One outcome per call. Without `staggerMs` whoever makes
   * the calls waits as long as the one before usually takes at most; offline, where nobody knows, until it has failed.
   */
  | { readonly kind: 'race'; readonly calls: readonly Call[]; readonly staggerMs?: number | undefined }
  /**
   * Make one call, and pause it when `tokens` content tokens have arrived or, where `ms` is given, so many milliseconds have
   * passed. Its outcome is `open`, or the end if it came before. Offline no clock runs: only a recorded pause tells.
   */
  | { readonly kind: 'open'; readonly call: Call; readonly tokens: number; readonly ms?: number | undefined }
  /** Let the open call of that rank run to its end; from now on the client sees it. */
  | { readonly kind: 'resume'; readonly rank: number }
  /** Drop the open call of that rank; what it produced is paid for. */
  | { readonly kind: 'drop'; readonly rank: number };

/** What a composition may see of an answer: no text. */
export interface AnswerView {
  /** What an extractor found the answer to be; equal keys are equal answers. Undefined where it found none. */
  readonly key: string | undefined;
  /** Completion tokens, 0 or more. */
  readonly tokens: number;
}

/** What a composition may know of an expert before it is asked. */
export interface RankedExpert {
  readonly expert: string;
  /** Predicted chance of an acceptable answer, 0..1. */
  readonly quality: number;
  /** Expected price of the request, USD. */
  readonly costUsd: number;
}

/** What came of a call. */
export interface Outcome {
  readonly rank: number;
  /** `open`: paused after a prefix. `cancelled`: lost a race, was dropped, or never started (then it cost nothing). */
  readonly status: 'ok' | 'error' | 'cancelled' | 'open';
  /** How sure the answer (or prefix) is, 0..1; undefined where nothing says so. */
  readonly confidence: number | undefined;
  /** What the call cost, USD. */
  readonly costUsd: number;
  /** From the start of the call to its end, milliseconds. */
  readonly latencyMs: number;
  /** For `error`: whether another expert may answer the same request. */
  readonly elsewhere?: boolean;
  /** Whether the client has already seen a part of it: then nobody else can answer. */
  readonly released: boolean;
  /** Of a whole answer, if the composition compares answers (`extractor`). */
  readonly answer?: AnswerView;
}

/** What was wrong with the answers that a gate accepts, on recorded ones that it was not fitted on. */
export interface HeldOutError {
  /** Mean of 1 - score of the accepted answers, 0..1. */
  readonly error: number;
  /** Mean stated probability less mean score: above 0 the gate is surer than it should be. */
  readonly overstated: number;
  /** How many prompts that was measured on. */
  readonly prompts: number;
}

/** The test that an answer passed or failed, for the trace. */
export interface GateRecord {
  readonly rank: number;
  readonly signal: string;
  /** Undefined where the answer carried no such signal. */
  readonly value: number | undefined;
  readonly threshold: number;
  readonly passed: boolean;
  /** What the gate promises of its errors and what was measured; absent where it promises nothing. */
  readonly statedError?: StatedError;
  /** What was measured without a promise; absent where nothing was. */
  readonly heldOutError?: HeldOutError;
}

/** What a composition decided. */
export interface Verdict {
  /** Rank whose answer (or, when all failed, whose error) is the client's. */
  readonly rank: number;
  readonly gates: readonly GateRecord[];
  /** One sentence for the trace and the page. */
  readonly reason: string;
  /** How sure the answer is, 0..1, where the composition knows better than the answer itself. */
  readonly confidence?: number;
}

/** Yields what to do now, receives the outcomes in the order of the calls, returns whose answer stands. */
export type Steps = Generator<Step, Verdict, readonly Outcome[]>;

/** A way to use a ranked list of experts. */
export interface Composition {
  /** Most calls one request can cause, given that many ranked experts. For budgets: known before the first call. */
  maxCalls(ranked: number): number;
  /** True if it judges answers by their confidence, so that calls must ask for token logprobs. */
  readonly needsConfidence: boolean;
  /** How it wants answers compared, if it compares them: whoever makes the calls applies it, so that it sees keys alone. */
  readonly extractor?: AnswerExtractor;
  /**
   * @param ranked how many experts are ranked, at least 1
   * @param view `[ranked]` who they are, in rank order; without it a composition that needs names takes ranks for them
   */
  start(ranked: number, view?: readonly RankedExpert[]): Steps;
}

/** What a recorded or modelled call would do if it were left alone. */
export type RecordedCall = Omit<Outcome, 'rank' | 'released' | 'status'> & {
  readonly status: 'ok' | 'error';
  /** Confidence of the first tokens of the answer, for `open`; the whole answer's where it is not given. */
  readonly prefixConfidence?: number | undefined;
  /** From the start of the call to its first content, for races of streams; default `latencyMs`. */
  readonly contentMs?: number;
  /** When it started, milliseconds on a clock that the calls of a run share. Default: when the race says so. */
  readonly startedMs?: number;
  /** For `error`: it came after the client had seen a part of the answer (where `release` let it). Default false. */
  readonly brokeOff?: boolean;
  /** It was paused at its prefix, whatever its length: the time was over. Default: its length tells. */
  readonly isPaused?: boolean;
  /** Content tokens of the answer: an `open` step that allows more sees the end. Default: more than any prefix. */
  readonly contentTokens?: number;
  /** Cost of the call if it is dropped after that prefix, or cancelled in a race, USD. Default: the whole cost. */
  readonly droppedCostUsd?: number;
};

/** A finished replay: the verdict and what every call that was made came to, in the order they were asked for. */
export interface Replay {
  readonly verdict: Verdict;
  readonly outcomes: readonly Outcome[];
  /** Sum of the outcomes' costs in the order the calls were asked for, USD. */
  readonly costUsd: number;
}

/**
 * Drives a composition with recorded calls: the offline twin of the gateway.
 *
 * A race is decided by the recorded latencies. A cancelled call costs `droppedCostUsd` if it had started, else nothing.
 *
 * @param ranked how many experts are ranked
 * @param recorded the recorded call of that rank
 * @param view `[ranked]` who the experts are, in rank order
 */
export function replay(
  composition: Composition,
  ranked: number,
  recorded: (rank: number) => RecordedCall,
  view?: readonly RankedExpert[],
): Replay {
  const steps = composition.start(ranked, view);
  const outcomes: Outcome[] = [];
  let next = steps.next();
  while (!next.done) {
    const results = replayStep(next.value, recorded);
    for (const result of results) {
      // A call that was open has its end now: the end replaces the prefix.
      const open = outcomes.findIndex((known) => known.rank === result.rank && known.status === 'open');
      if (open >= 0) outcomes[open] = result;
      else outcomes.push(result);
    }
    next = steps.next(results);
  }
  let costUsd = 0;
  for (const outcome of outcomes) costUsd += outcome.costUsd;
  return { verdict: next.value, outcomes, costUsd };
}

function replayStep(step: Step, recorded: (rank: number) => RecordedCall): Outcome[] {
  switch (step.kind) {
    case 'all':
      return step.calls.map((call) => ended(call.rank, recorded(call.rank), call.release === 'content'));
    case 'race':
      return replayRace(step.calls, step.staggerMs ?? Infinity, recorded);
    case 'open': {
      const call = recorded(step.call.rank);
      // What has a confidence of its prefix got past its prefix, however it ended.
      const isPaused =
        call.isPaused === true ||
        call.prefixConfidence !== undefined ||
        (call.contentTokens ?? Infinity) >= step.tokens;
      if (!isPaused || (call.status === 'error' && call.prefixConfidence === undefined && call.isPaused !== true))
        return [ended(step.call.rank, call, false)];
      const confidence = call.isPaused === true ? call.prefixConfidence : (call.prefixConfidence ?? call.confidence);
      return [{ ...ended(step.call.rank, call, false), status: 'open', confidence }];
    }
    case 'resume':
      return [ended(step.rank, recorded(step.rank), true)];
    case 'drop':
      return [cancelled(step.rank, recorded(step.rank))];
    default:
      return step satisfies never;
  }
}

/** Decides a race on recorded times. What ends it is the first success, or the first failure that is the request's own fault. */
function replayRace(calls: readonly Call[], staggerMs: number, recorded: (rank: number) => RecordedCall): Outcome[] {
  const startsMs: number[] = [];
  let winner = -1;
  let decidedMs = Infinity;
  let allFailedByMs = 0;
  const firstStartedMs = calls.length === 0 ? undefined : recorded(calls[0]!.rank).startedMs;
  for (let i = 0; i < calls.length; i++) {
    const call = calls[i]!;
    // Starts on its turn, or as soon as everybody before it has failed.
    const dueMs = i === 0 ? 0 : Math.min(startsMs[i - 1]! + staggerMs, allFailedByMs);
    // A run that was recorded knows when it started: timers are late, and an answer may come just then.
    const startedMs = firstStartedMs === undefined ? undefined : recordedStart(recorded, call.rank, decidedMs);
    if (firstStartedMs !== undefined && startedMs === undefined) break;
    const startMs = startedMs === undefined ? dueMs : startedMs - firstStartedMs!;
    if (startedMs === undefined && startMs >= decidedMs) break;
    startsMs.push(startMs);
    // Only now: of a call that never starts there is no record.
    const record = recorded(call.rank);
    const decisive = record.status === 'ok' || record.elsewhere === false || isSeen(call, record);
    const endMs = startMs + raceMs(call, record);
    if (!decisive) {
      allFailedByMs = Math.max(allFailedByMs, endMs);
      continue;
    }
    allFailedByMs = Infinity;
    if (endMs < decidedMs) {
      winner = i;
      decidedMs = endMs;
    }
  }
  return calls.map((call, i) => {
    const startMs = startsMs[i];
    if (startMs === undefined) return { ...NEVER_STARTED, rank: call.rank };
    const record = recorded(call.rank);
    const failedInTime = record.status === 'error' && startMs + record.latencyMs <= decidedMs;
    if (i === winner || failedInTime) return ended(call.rank, record, call.release === 'content');
    return { ...cancelled(call.rank, record), latencyMs: decidedMs - startMs };
  });
}

/**
 * When a recorded call started; undefined if it never did, because somebody else had won by then.
 *
 * @throws what `recorded` throws, if nobody had won: then the run and its replay have parted
 */
function recordedStart(recorded: (rank: number) => RecordedCall, rank: number, decidedMs: number): number | undefined {
  try {
    return recorded(rank).startedMs;
  } catch (error) {
    if (decidedMs < Infinity) return undefined;
    throw error;
  }
}

const NEVER_STARTED = {
  status: 'cancelled',
  confidence: undefined,
  costUsd: 0,
  latencyMs: 0,
  released: false,
} as const;

/** When a call can win: at its first content if the client sees that, else at its end. */
function raceMs(call: Call, record: RecordedCall): number {
  return isSeen(call, record) ? (record.contentMs ?? record.latencyMs) : record.latencyMs;
}

/** Whether the client sees some of what the call produces before the call is over. */
function isSeen(call: Call, record: RecordedCall): boolean {
  return call.release === 'content' && (record.status === 'ok' || record.brokeOff === true);
}

function ended(rank: number, call: RecordedCall, released: boolean): Outcome {
  return {
    rank,
    status: call.status,
    confidence: call.confidence,
    costUsd: call.costUsd,
    latencyMs: call.latencyMs,
    ...(call.elsewhere === undefined ? {} : { elsewhere: call.elsewhere }),
    ...(call.answer === undefined ? {} : { answer: call.answer }),
    released: released && (call.status === 'ok' || call.brokeOff === true),
  };
}

function cancelled(rank: number, call: RecordedCall): Outcome {
  return {
    rank,
    status: 'cancelled',
    confidence: undefined,
    costUsd: call.droppedCostUsd ?? call.costUsd,
    latencyMs: call.latencyMs,
    released: false,
  };
}

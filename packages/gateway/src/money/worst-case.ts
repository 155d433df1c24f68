/** The most that a call, and a whole request of a mode, may come to: what is reserved before anything is asked. */
import type { Composition } from '@gatewright/kernel';
import type { Expert } from '../config/config.ts';
import { priceUsd } from '../cost.ts';
import type { LiveExpert } from '../experts.ts';
import type { ChatRequest } from '../wire/chat.ts';

/** How far a reservation goes where a request names no longest answer. */
export type ReserveRule = 'usual' | 'worst';

/** What a call is reserved for. */
export interface Reserve {
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly costUsd: number;
}

/** The estimate of a prompt (four characters a token) falls short of code, digits and other scripts by up to this factor. */
export const PROMPT_MARGIN = 1.5;
/** An answer without `max_tokens` is taken to be at most so many times the expert's usual one. */
export const USUAL_FACTOR = 4;
/** Usual answer of an expert that was not asked yet. */
const ASSUMED_USUAL_TOKENS = 256;
/** Longest answer of an expert that declares neither `maxOutputTokens` nor `contextTokens`. */
export const ASSUMED_LONGEST_TOKENS = 32_768;
/** Longest prompt of an expert that declares no `contextTokens`. */
export const ASSUMED_CONTEXT_TOKENS = 131_072;

/**
 * What to reserve for one call.
 *
 * With `max_tokens` in the request, or with rule `worst`, it is an upper bound as long as the prompt is no longer than
 * `PROMPT_MARGIN` times its estimate and the expert keeps to the longest answer. With rule `usual` and without
 * `max_tokens`, an answer may be longer: then the difference is booked after it, and may overdraw.
 */
export function reserveFor(
  { expert, outputTokens }: Pick<LiveExpert, 'expert' | 'outputTokens'>,
  body: Pick<ChatRequest, 'max_completion_tokens' | 'max_tokens' | 'n'>,
  promptTokens: number,
  rule: ReserveRule,
): Reserve {
  const prompt = Math.ceil(promptTokens * PROMPT_MARGIN);
  const longest = longestAnswer(expert, promptTokens);
  const asked = body.max_completion_tokens ?? body.max_tokens;
  const usual = USUAL_FACTOR * (expert.outputTokens ?? outputTokens ?? ASSUMED_USUAL_TOKENS);
  const answer = asked != null ? Math.min(asked, longest) : rule === 'worst' ? longest : Math.min(usual, longest);
  const completionTokens = Math.ceil(answer) * (body.n ?? 1);
  return {
    promptTokens: prompt,
    completionTokens,
    costUsd:
      rule === 'worst'
        ? dearestUsd(expert, prompt, completionTokens)
        : priceUsd(expert, { promptTokens: prompt, completionTokens }),
  };
}

/** What one call costs if every token is of the dearest kind: written to a cache, thought, heard or said. */
export function dearestUsd(expert: Pick<Expert, 'price'>, promptTokens: number, completionTokens: number): number {
  const prompts = [
    {},
    { cacheWriteTokens: promptTokens },
    { cacheWriteTokens: promptTokens, cacheWrite1hTokens: promptTokens },
    { audioInputTokens: promptTokens },
  ];
  const answers = [{}, { reasoningTokens: completionTokens }, { audioOutputTokens: completionTokens }];
  let dearest = 0;
  for (const prompt of prompts)
    for (const answer of answers)
      dearest = Math.max(dearest, priceUsd(expert, { promptTokens, completionTokens, ...prompt, ...answer }));
  return dearest;
}

/** The longest answer that an expert gives, tokens. */
export function longestAnswer({ maxOutputTokens, contextTokens }: Expert, promptTokens: number): number {
  if (maxOutputTokens !== undefined) return maxOutputTokens;
  return contextTokens === undefined ? ASSUMED_LONGEST_TOKENS : Math.max(1, contextTokens - promptTokens);
}

/** What one request of a mode may come to. */
export interface WorstCase {
  /** Calls, retries and continuations among them. */
  readonly calls: number;
  readonly costUsd: number;
  /** True where an expert declares neither its longest answer nor its context, so that the figure rests on assumptions. */
  readonly isAssumed: boolean;
}

/**
 * The most that one request of a mode can come to: its composition asks as many experts as it may, the dearest ones, each
 * is asked again as often as retries and continuations allow, and every call is as long as it can be.
 *
 * @param request what is known of the request; without it the prompt fills the context
 * @param extraAttempts calls of one expert beyond the first, by expert
 */
export function worstCaseOf(
  experts: readonly Expert[],
  composition: Pick<Composition, 'maxCalls'>,
  extraAttempts: (expert: Expert) => number,
  request?: {
    readonly promptTokens: number;
    readonly body: Pick<ChatRequest, 'max_completion_tokens' | 'max_tokens' | 'n'>;
  },
): WorstCase {
  const each = experts
    .map((expert) => {
      const attempts = 1 + extraAttempts(expert);
      const reserve =
        request === undefined
          ? reserveAtMost(expert)
          : reserveFor({ expert, outputTokens: undefined }, request.body, request.promptTokens, 'worst').costUsd;
      return { attempts, costUsd: reserve * attempts };
    })
    .sort((one, other) => other.costUsd - one.costUsd);
  const asked = each.slice(0, composition.maxCalls(experts.length));
  const most = each.map(({ attempts }) => attempts).sort((one, other) => other - one);
  return {
    calls: most.slice(0, asked.length).reduce((sum, attempts) => sum + attempts, 0),
    costUsd: asked.reduce((sum, { costUsd }) => sum + costUsd, 0),
    isAssumed: experts.some(
      ({ maxOutputTokens, contextTokens }) =>
        contextTokens === undefined && (request === undefined || maxOutputTokens === undefined),
    ),
  };
}

/** The dearest split of the context between prompt and answer. */
function reserveAtMost(expert: Expert): number {
  const context = expert.contextTokens ?? ASSUMED_CONTEXT_TOKENS;
  const longest = Math.min(expert.maxOutputTokens ?? expert.contextTokens ?? ASSUMED_LONGEST_TOKENS, context);
  return Math.max(dearestUsd(expert, context - longest, longest), dearestUsd(expert, context, 0));
}

/** Calls of one expert beyond the first that a configuration allows: retries and continuations. */
export function extraAttemptsOf(
  resilience: { readonly continueAttempts?: number } | undefined,
): (expert: Expert) => number {
  return ({ retries }) => (retries?.attempts ?? 1) - 1 + (resilience?.continueAttempts ?? 0);
}

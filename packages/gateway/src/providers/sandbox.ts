/**
 * The provider of the embedded sandbox: simulated experts that answer in this process, in the wire format and, if
 * wanted, at the speed of a real one. What they say is decided in `../sandbox/`; here are only wire format and timers.
 */
import { onlyOptions, UnknownNameError } from '@gatewright/kernel';
import { type AnswerFormat, type WrittenAnswer, writeAnswer } from '../sandbox/answer.ts';
import { draftAnswers } from '../sandbox/draft.ts';
import { type ExpertProfile, sandboxExperts } from '../sandbox/experts.ts';
import { countTokens } from '../sandbox/tokens.ts';
import type { ChatChunk, ChatChunkChoice, ChatCompletion, ChatRequest, TokenLogprob, Usage } from '../wire/chat.ts';
import { lastUserText, messageText } from '../wire/chat.ts';
import { ProviderFailure } from './failure.ts';
import type { AnswerSink, ConnectProvider, ProviderAnswer, ProviderCall, RunningCall } from './provider.ts';
import { sandboxEmbeddings } from './sandbox-embeddings.ts';

/** What `sandbox` takes. */
export interface SandboxOptions {
  /** Id of the simulated expert, e.g. `tiny`. */
  readonly expert: string;
  /** Whether to wait as long as the profile says before and between tokens. Default true. */
  readonly realtime?: boolean;
  /** Milliseconds since 1970, for the `created` field. Default: the machine's clock. */
  readonly now?: () => number;
}

/** Most choices of one request. */
const MAX_CHOICES = 8;
/** Tokens that go into one chunk of a stream. */
const TOKENS_PER_CHUNK = 3;
/** Tokens that a message and a whole request cost beside their text. */
const TOKENS_PER_MESSAGE = 4;
const TOKENS_PER_REQUEST = 3;

/**
 * A provider whose answers come from one simulated expert.
 *
 * @throws {UnknownNameError} when no expert has that id
 * @throws {OptionError} for an option it does not have
 */
export function sandbox(options: SandboxOptions): ConnectProvider {
  onlyOptions(options, ['expert', 'realtime', 'now']);
  const { realtime = true, now = Date.now } = options;
  const profile = sandboxExperts.find((candidate) => candidate.id === options.expert);
  if (profile === undefined) {
    const known = sandboxExperts.map((candidate) => candidate.id);
    throw new UnknownNameError('sandbox expert', options.expert, known, { path: 'expert' });
  }
  return () => ({
    start: (call, sink) => startCall(profile, call, sink, { realtime, now }),
    embed: (call) => sandboxEmbeddings(profile.id, call),
    close: async () => {},
  });
}

interface Rim {
  readonly realtime: boolean;
  readonly now: () => number;
}

/** Waits, unless the call has been cancelled; then it never returns, and nothing more is sent. */
type Pause = (durationMs: number) => Promise<void>;

function startCall(profile: ExpertProfile, call: ProviderCall, sink: AnswerSink, rim: Rim): RunningCall {
  let timer: NodeJS.Timeout | undefined;
  let hasEnded = false;
  let rejectAnswer: (failure: ProviderFailure) => void = () => {};
  const pause: Pause = (durationMs) =>
    new Promise((resolve) => {
      if (hasEnded) return;
      if (!rim.realtime || durationMs <= 0) resolve();
      else timer = setTimeout(resolve, durationMs);
    });
  const answer = new Promise<ProviderAnswer>((resolve, reject) => {
    rejectAnswer = reject;
    // After a microtask at the earliest: the caller gets the running call before the first chunk.
    Promise.resolve()
      .then(() => run(profile, call, sink, rim.now, pause))
      .then(resolve, (error: unknown) => reject(asFailure(profile, error)))
      .finally(() => {
        hasEnded = true;
      });
  });
  // Whoever cancels may no longer listen; the rejection must not take the process down.
  answer.catch(() => {});
  return {
    answer,
    cancel() {
      if (hasEnded) return;
      hasEnded = true;
      clearTimeout(timer);
      rejectAnswer(cancelled(profile));
    },
  };
}

async function run(
  profile: ExpertProfile,
  call: ProviderCall,
  sink: AnswerSink,
  now: () => number,
  pause: Pause,
): Promise<ProviderAnswer> {
  const { body } = call;
  const promptTokens = checkedPromptTokens(profile, body);
  const choices = writeChoices(profile, call);
  const completionTokens = choices.reduce((sum, choice) => sum + choice.tokens.length, 0);
  const usage = {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
  };
  const head = {
    id: `chatcmpl-${call.traceId}`,
    created: Math.floor(now() / 1000),
    model: profile.id,
    system_fingerprint: `simulated-${profile.id}`,
  };
  await pause(profile.latencyMs);
  if (call.stream) {
    await streamChoices(profile, body, choices, usage, head, sink, pause);
    return { usage };
  }
  // Choices of one request are written side by side, so the longest decides.
  await pause((Math.max(...choices.map((choice) => choice.tokens.length)) / profile.tokensPerSecond) * 1000);
  const completion: ChatCompletion = {
    ...head,
    object: 'chat.completion',
    choices: choices.map((choice, index) => ({
      index,
      message: { role: 'assistant', content: choice.text, refusal: null },
      finish_reason: choice.finishReason,
      logprobs: logprobsOf(body, choice.tokens),
    })),
    usage,
  };
  return { completion: { data: JSON.stringify(completion), body: completion }, usage };
}

interface Head {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

/** Role first, then a few tokens at a time of every choice in turn, each choice's finish, and the usage if asked for. */
async function streamChoices(
  profile: ExpertProfile,
  body: ChatRequest,
  choices: readonly WrittenAnswer[],
  usage: Usage,
  head: Head,
  sink: AnswerSink,
  pause: Pause,
): Promise<void> {
  const wantsUsage = body.stream_options?.include_usage === true;
  const send = async (list: readonly ChatChunkChoice[], last?: Usage): Promise<void> => {
    const chunk: ChatChunk = {
      ...head,
      object: 'chat.completion.chunk',
      choices: list,
      ...(wantsUsage ? { usage: last ?? null } : {}),
    };
    await sink.onChunk(JSON.stringify(chunk), chunk);
    // A call that was cancelled while the receiver was busy stops here.
    await pause(0);
  };
  for (const index of choices.keys()) {
    await send([{ index, delta: { role: 'assistant', content: '' }, finish_reason: null }]);
  }
  const longest = Math.max(...choices.map((choice) => choice.tokens.length));
  for (let at = 0; at < longest; at += TOKENS_PER_CHUNK) {
    await pause((Math.min(TOKENS_PER_CHUNK, longest - at) / profile.tokensPerSecond) * 1000);
    for (const [index, choice] of choices.entries()) {
      const tokens = choice.tokens.slice(at, at + TOKENS_PER_CHUNK);
      if (tokens.length === 0) continue;
      const content = tokens.map(({ token }) => token).join('');
      const logprobs = logprobsOf(body, tokens);
      await send([{ index, delta: { content }, finish_reason: null, ...(logprobs === null ? {} : { logprobs }) }]);
    }
  }
  for (const [index, choice] of choices.entries()) {
    await send([{ index, delta: {}, finish_reason: choice.finishReason }]);
  }
  if (wantsUsage) await send([], usage);
}

function writeChoices(profile: ExpertProfile, call: ProviderCall): WrittenAnswer[] {
  const { body } = call;
  const count = body.n ?? 1;
  if (!Number.isInteger(count) || count < 1 || count > MAX_CHOICES) {
    throw rejected(
      `n must be a whole number from 1 to ${MAX_CHOICES}, got ${count}.`,
      'n',
      `Ask for at most ${MAX_CHOICES} choices.`,
    );
  }
  const { stop } = body;
  const format: AnswerFormat = {
    isJson: body.response_format?.type === 'json_object' || body.response_format?.type === 'json_schema',
    maxTokens: Math.max(1, body.max_completion_tokens ?? body.max_tokens ?? Number.POSITIVE_INFINITY),
    stops: typeof stop === 'string' ? [stop] : (stop ?? []),
    topLogprobs: body.logprobs === true ? Math.min(20, Math.max(0, body.top_logprobs ?? 0)) : 0,
  };
  const drafts = draftAnswers(profile, lastUserText(body.messages), body.seed ?? call.seed, count);
  return drafts.map((draft) => writeAnswer(draft, format));
}

function logprobsOf(body: ChatRequest, tokens: readonly TokenLogprob[]): { content: readonly TokenLogprob[] } | null {
  return body.logprobs === true ? { content: tokens } : null;
}

function checkedPromptTokens(profile: ExpertProfile, body: ChatRequest): number {
  const tokens = body.messages.reduce(
    (sum, message) => sum + TOKENS_PER_MESSAGE + countTokens(messageText(message)),
    TOKENS_PER_REQUEST,
  );
  if (tokens <= profile.contextTokens) return tokens;
  throw new ProviderFailure(
    'GW_UPSTREAM_REJECTED',
    `The request has ${tokens} tokens, ${profile.id} reads ${profile.contextTokens}.`,
    {
      fix: 'Shorten the messages, or ask an expert with a larger context.',
      // Another expert may have room for it.
      elsewhere: true,
      status: 400,
      upstream: {
        message: 'context length exceeded',
        type: 'invalid_request_error',
        code: 'context_length_exceeded',
        param: 'messages',
      },
    },
  );
}

function rejected(message: string, param: string, fix: string): ProviderFailure {
  const upstream = { message, type: 'invalid_request_error', code: null, param };
  return new ProviderFailure('GW_UPSTREAM_REJECTED', message, { fix, elsewhere: false, status: 400, upstream });
}

function cancelled(profile: ExpertProfile, cause?: unknown): ProviderFailure {
  return new ProviderFailure('GW_CANCELLED', `The call to the sandbox expert ${profile.id} was cancelled.`, {
    fix: 'Nothing to do: whoever asked no longer wants the answer.',
    elsewhere: false,
    ...(cause === undefined ? {} : { cause }),
  });
}

/** The only thing that throws here besides our own checks is a receiver that is gone. */
function asFailure(profile: ExpertProfile, error: unknown): ProviderFailure {
  return error instanceof ProviderFailure ? error : cancelled(profile, error);
}

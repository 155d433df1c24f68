/**
 * Turns an answer that is known as text into the wire's two forms, a completion or a stream of chunks: for providers that
 * do not speak HTTP themselves.
 */
import type { ChatChunk, ChatCompletion, TokenLogprob, Usage } from '../wire/chat.ts';
import { ProviderFailure } from './failure.ts';
import type { AnswerSink, ProviderAnswer, ProviderCall, RunningCall } from './provider.ts';

/** An answer as text. */
export interface Answer {
  readonly model: string;
  /** One per `n` of the request. */
  readonly choices: readonly {
    readonly text: string;
    readonly finishReason: string;
    readonly logprobs?: readonly TokenLogprob[];
  }[];
  readonly promptTokens: number;
  readonly completionTokens: number;
  readonly costUsd?: number;
}

/** Characters of one streamed piece, where nothing says where the tokens are: about one token of English. */
const PIECE_CHARACTERS = 4;

/**
 * Runs a call whose answer a function computes.
 *
 * @param compute may throw a `ProviderFailure`; anything else becomes `GW_UPSTREAM_MALFORMED`
 */
export function answerCall(call: ProviderCall, sink: AnswerSink, compute: () => Promise<Answer>): RunningCall {
  let cancel!: () => void;
  let isCancelled = false;
  const cancelled = new Promise<never>((_, reject) => {
    cancel = () => {
      isCancelled = true;
      reject(
        new ProviderFailure('GW_CANCELLED', 'The call was cancelled.', { fix: 'Nothing to do.', elsewhere: false }),
      );
    };
  });
  cancelled.catch(() => {});
  const run = async (): Promise<ProviderAnswer> => {
    const answer = await Promise.race([compute(), cancelled]);
    const usage: Usage = {
      prompt_tokens: answer.promptTokens,
      completion_tokens: answer.completionTokens,
      total_tokens: answer.promptTokens + answer.completionTokens,
    };
    const cost = answer.costUsd === undefined ? {} : { costUsd: answer.costUsd };
    if (!call.stream) {
      const body = completionOf(answer, usage, call.traceId);
      return { completion: { data: JSON.stringify(body), body }, usage, ...cost };
    }
    for (const chunk of chunksOf(answer, usage, call)) {
      const ready = sink.onChunk(JSON.stringify(chunk), chunk);
      if (ready !== undefined) await Promise.race([ready, cancelled]);
      // A receiver that was ready wins the race against a cancel.
      if (isCancelled) await cancelled;
    }
    return { usage, ...cost };
  };
  return {
    answer: run().catch((error: unknown) => {
      if (error instanceof ProviderFailure) throw error;
      throw new ProviderFailure('GW_UPSTREAM_MALFORMED', 'The expert failed while it answered.', {
        fix: 'This is a defect of the provider: report it.',
        elsewhere: true,
        cause: error,
      });
    }),
    cancel,
  };
}

function completionOf(answer: Answer, usage: Usage, traceId: string): ChatCompletion {
  return {
    id: `chatcmpl-${traceId}`,
    object: 'chat.completion',
    created: 0,
    model: answer.model,
    choices: answer.choices.map((choice, index) => ({
      index,
      message: { role: 'assistant', content: choice.text },
      finish_reason: choice.finishReason,
      logprobs: choice.logprobs === undefined ? null : { content: choice.logprobs },
    })),
    usage,
  };
}

function* chunksOf(answer: Answer, usage: Usage, call: ProviderCall): Generator<ChatChunk> {
  const head = {
    id: `chatcmpl-${call.traceId}`,
    object: 'chat.completion.chunk',
    created: 0,
    model: answer.model,
  } as const;
  for (const [index, choice] of answer.choices.entries()) {
    yield { ...head, choices: [{ index, delta: { role: 'assistant', content: '' }, finish_reason: null }] };
    for (const piece of piecesOf(choice)) {
      yield {
        ...head,
        choices: [
          {
            index,
            delta: { content: piece.text },
            finish_reason: null,
            ...(piece.logprobs === undefined ? {} : { logprobs: { content: piece.logprobs } }),
          },
        ],
      };
    }
    yield { ...head, choices: [{ index, delta: {}, finish_reason: choice.finishReason }] };
  }
  if (call.body.stream_options?.include_usage === true) yield { ...head, choices: [], usage };
}

function* piecesOf(choice: Answer['choices'][number]): Generator<{ text: string; logprobs?: TokenLogprob[] }> {
  if (choice.logprobs !== undefined) {
    for (const token of choice.logprobs) yield { text: token.token, logprobs: [token] };
    return;
  }
  // By code points, so that no character is cut in two.
  const characters = [...choice.text];
  for (let start = 0; start < characters.length; start += PIECE_CHARACTERS) {
    yield { text: characters.slice(start, start + PIECE_CHARACTERS).join('') };
  }
}

/** One call for vectors to a server with OpenAI's `/embeddings`. */
import type { Pool } from 'undici';
import type { ChatCompletion } from '../wire/chat.ts';
import { type EmbeddingList, embeddingList } from '../wire/embeddings.ts';
import { type AnswerFormat, bodyText, type CallLimits, failedCall, httpCall } from './http-call.ts';
import type { EmbeddingCall, RunningEmbedding } from './provider.ts';
import { malformed } from './upstream-failures.ts';

/** Where to ask, and with what. */
export interface EmbeddingTarget {
  readonly pool: Pool;
  /** Of the URL, e.g. `/v1/embeddings`. */
  readonly path: string;
  /** Pairs of name and value. */
  readonly headers: string[];
  /** Fields added to every body. */
  readonly params: Readonly<Record<string, unknown>>;
  /** The server's own name of the model. */
  readonly model: string;
  readonly limits: CallLimits;
}

/** Starts a call. */
export function openaiEmbeddings(
  { pool, path, headers, params, model, limits }: EmbeddingTarget,
  { body: request }: EmbeddingCall,
): RunningEmbedding {
  const body = bodyText(() => ({ ...request, ...params, model }));
  if (typeof body !== 'string') return failedCall(body) as unknown as RunningEmbedding;
  let list: EmbeddingList | undefined;
  // What reads any whole answer over HTTP: only the types speak of chat.
  const format: AnswerFormat = {
    framing: 'sse',
    whole(data) {
      const read = embeddingList(data, request);
      if (typeof read === 'string') throw malformed(read);
      list = read.body;
      return { completion: { data: read.data, body: list as unknown as ChatCompletion }, usage: undefined };
    },
    stream: () => {
      throw malformed('an answer with vectors does not stream');
    },
  };
  const call = httpCall(pool, { path, method: 'POST', headers, body }, { stream: false }, NO_SINK, format, limits);
  return {
    answer: call.answer.then(({ completion }) => ({ data: completion!.data, body: list! })),
    cancel: call.cancel,
  };
}

const NO_SINK = { onChunk() {} };

/** One call for vectors to a server whose format is its own: its answer in OpenAI's form, each vector at its place. */
import type { Pool } from 'undici';
import type { ChatCompletion } from '../wire/chat.ts';
import { type EmbeddingList, type EmbeddingRequest, embeddingList } from '../wire/embeddings.ts';
import { ProviderFailure } from './failure.ts';
import { type AnswerFormat, bodyText, type CallLimits, failedCall, httpCall } from './http-call.ts';
import type { EmbeddingCall, RunningEmbedding } from './provider.ts';
import { malformed, parsedObject } from './upstream-failures.ts';

/** What a server said. */
export interface Vectors {
  /** One for each text, in their order. */
  readonly vectors: readonly unknown[];
  /** Tokens that it counted; undefined where it does not say. */
  readonly promptTokens: number | undefined;
}

/** Where to ask, and how this server says it. */
export interface VectorServer {
  readonly pool: Pool;
  readonly path: string;
  /** Pairs of name and value. */
  readonly headers: string[];
  readonly model: string;
  readonly limits: CallLimits;
  /** The body that asks for the vectors of these texts. */
  body(texts: readonly string[], request: EmbeddingRequest): unknown;
  /** @param answer parsed */
  read(answer: Record<string, unknown>): Vectors;
  readonly refusal?: AnswerFormat['refusal'];
}

/** Starts a call. Tokens in place of texts are a failure that another expert may not have. */
export function vectorCall(server: VectorServer, { body: request }: EmbeddingCall): RunningEmbedding {
  const { pool, path, headers, model, limits } = server;
  const body = bodyText(() => server.body(textsOf(request), request));
  if (typeof body !== 'string') return failedCall(body) as unknown as RunningEmbedding;
  let list: EmbeddingList | undefined;
  const format: AnswerFormat = {
    framing: 'sse',
    whole(text) {
      const { vectors, promptTokens } = server.read(parsedObject(text, 'the answer'));
      const named = JSON.stringify({
        object: 'list',
        data: vectors.map((embedding, index) => ({ object: 'embedding', index, embedding })),
        model,
        ...(promptTokens === undefined ? {} : { usage: { prompt_tokens: promptTokens, total_tokens: promptTokens } }),
      });
      const read = embeddingList(named, request);
      if (typeof read === 'string') throw malformed(read);
      list = read.body;
      // What reads any whole answer over HTTP: only the types speak of chat.
      return { completion: { data: read.data, body: list as unknown as ChatCompletion }, usage: undefined };
    },
    stream: () => {
      throw malformed('an answer with vectors does not stream');
    },
    ...(server.refusal === undefined ? {} : { refusal: server.refusal }),
  };
  const call = httpCall(pool, { path, method: 'POST', headers, body }, { stream: false }, NO_SINK, format, limits);
  return {
    answer: call.answer.then(({ completion }) => ({ data: completion!.data, body: list! })),
    cancel: call.cancel,
  };
}

const NO_SINK = { onChunk() {} };

function textsOf({ input }: EmbeddingRequest): readonly string[] {
  if (typeof input === 'string') return [input];
  if (typeof input[0] === 'string') return input as readonly string[];
  throw new ProviderFailure('GW_UPSTREAM_REJECTED', 'The expert takes texts, not tokens.', {
    fix: 'Send the texts themselves.',
    elsewhere: true,
  });
}

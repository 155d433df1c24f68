/** What the gateway asks of whoever answers a request. One file per provider beside this one. */
import type { Timeouts } from '../config/config.ts';
import type { ChatChunk, ChatCompletion, ChatRequest, Usage } from '../wire/chat.ts';
import type { EmbeddingList, EmbeddingRequest } from '../wire/embeddings.ts';

/** One call to one expert. */
export interface ProviderCall {
  /**
   * The request as the client sent it, with what the gateway added (logprobs, usage in the stream). The provider puts its
   * own model name in. Shared between calls: never mutate.
   */
  readonly body: ChatRequest;
  /** Whether the answer is to come as a stream of chunks or as one completion. */
  readonly stream: boolean;
  /** Correlates the call with the trace; may be sent upstream. */
  readonly traceId: string;
  /** W3C trace context to send upstream; undefined: none. */
  readonly traceparent?: string | undefined;
  /** Decides whatever the provider would otherwise draw at random (32 bits). */
  readonly seed: number;
}

/**
 * Receives what a call produces, as it is produced.
 *
 * A provider calls `onChunk` once per stream event in order, and waits for the promise, if one is returned, before it
 * reads on: that is how a slow client slows the upstream.
 */
export interface AnswerSink {
  /**
   * @param data the event's JSON text as received, without `data: `
   * @param chunk the same, parsed and checked to be a chunk
   */
  onChunk(data: string, chunk: ChatChunk): void | Promise<void>;
}

/** How a call ended well. */
export interface ProviderAnswer {
  /** The whole answer and its JSON text; undefined when the call streamed. */
  readonly completion?: { readonly data: string; readonly body: ChatCompletion };
  /** Tokens as the provider reported them; undefined when it did not. */
  readonly usage: Usage | undefined;
  /** What the provider says the call cost, where it says so (replayed outcomes); else the gateway prices `usage`. */
  readonly costUsd?: number;
}

/** A call under way. */
export interface RunningCall {
  /**
   * Paths of the request (`seed`, `messages[2].content[0]`) that the provider's format cannot carry; known when the call
   * starts.
   */
  readonly notCarried?: readonly string[];
  /** Settles when the call has ended. Rejects with a `ProviderFailure` only. */
  readonly answer: Promise<ProviderAnswer>;
  /** Ends the call at once, frees its connection; `answer` then rejects with code `GW_CANCELLED`. Idempotent. */
  cancel(): void;
}

/** One call for vectors. */
export interface EmbeddingCall {
  /** As the client sent it; the provider puts its own model name in. Shared between calls: never mutate. */
  readonly body: EmbeddingRequest;
  /** Correlates the call with the log; may be sent upstream. */
  readonly traceId: string;
}

/** The vectors in the order of the inputs and the encoding that the request asks for. */
export interface EmbeddingAnswer {
  /** JSON text of `body`. */
  readonly data: string;
  readonly body: EmbeddingList;
}

/** A call for vectors under way. */
export interface RunningEmbedding {
  /** Rejects with a `ProviderFailure` only. */
  readonly answer: Promise<EmbeddingAnswer>;
  /** As of a `RunningCall`. */
  cancel(): void;
}

/** An expert's connection to whoever answers. */
export interface Provider {
  /** Starts a call. Never throws: whatever goes wrong arrives through `answer`. */
  start(call: ProviderCall, sink: AnswerSink): RunningCall;
  /**
   * The same request, continued after `text`: what the expert answers to it goes on where `text` breaks off, without saying
   * it again. Only where the server promises to continue an assistant's message; for one choice of plain text.
   *
   * @param request left alone
   * @param text what has come of the answer so far, not empty
   */
  prefill?(request: ChatRequest, text: string): ChatRequest;
  /**
   * How many tokens the request's prompt has, asked of the server; only where the server can say so.
   *
   * Rejects with a `ProviderFailure`.
   */
  countTokens?(body: ChatRequest): Promise<number>;
  /** Starts a call for vectors; absent where it makes none. Never throws. */
  embed?(call: EmbeddingCall): RunningEmbedding;
  /** Closes idle connections and frees memory. Calls under way may finish. */
  close(): Promise<void>;
}

/** What a provider may use of the world it runs in. */
export interface ProviderContext {
  readonly timeouts: Timeouts;
  /** Environment variables, for keys by name. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Things that experts of one configuration share, such as a loaded data set. Keyed by the provider's own names. */
  readonly shared: Map<string, unknown>;
}

/**
 * What a provider's factory returns: options are checked by then, nothing has been opened.
 *
 * @throws {GatewrightError} `GW_KEY_MISSING` if a named environment variable is not set
 */
export type ConnectProvider = (context: ProviderContext) => Provider;

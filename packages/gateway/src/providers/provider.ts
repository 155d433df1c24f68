/** What the gateway asks of whoever answers a request. One file per provider beside this one. */
import type { Timeouts } from '../config/config.ts';
import type { ChatChunk, ChatCompletion, ChatRequest, Usage } from '../wire/chat.ts';

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

/** An expert's connection to whoever answers. */
export interface Provider {
  /** Starts a call. Never throws: whatever goes wrong arrives through `answer`. */
  start(call: ProviderCall, sink: AnswerSink): RunningCall;
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

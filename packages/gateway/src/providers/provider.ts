/** What the gateway asks of whoever answers a request. One file per provider beside this one. */
import type { ChatChunk, ChatCompletion, ChatRequest, Usage } from '../wire/chat.ts';

/** One call to one expert. */
export interface ProviderCall {
  /**
   * The body to send. `model` is already the expert's own model name; `stream` says which form the answer takes.
   * Shared between calls: never mutate.
   */
  readonly body: ChatRequest;
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

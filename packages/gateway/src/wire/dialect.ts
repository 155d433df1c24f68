/**
 * A dialect is a format in which clients ask: one file beside this one. Inside, all requests and answers have one form,
 * OpenAI's Chat Completions (`chat.ts`) with the extensions listed there; a dialect translates both ways.
 */
import type { HttpError } from '../http-errors.ts';
import type { Principal } from '../identity/principal.ts';
import type { ChatChunk, ChatCompletion, ChatRequest } from './chat.ts';

/** A client format. */
export interface Dialect {
  /** As in traces and metrics: `chat`, `responses`, `messages`. */
  readonly name: string;
  /**
   * Checks a parsed body and translates it. Asynchronous where an earlier answer has to be looked up.
   *
   * @throws {GatewrightError} `GW_REQUEST_TYPE`, naming the client's own path and what belongs there
   */
  read(body: unknown, asker: Asker): DialectReading | Promise<DialectReading>;
  /** The body of an error, in the form that the dialect's own clients understand. */
  error(error: HttpError): string;
}

/** Whoever sent a request: an earlier answer is found only by those it was given to. */
export interface Asker {
  readonly principal: Principal;
}

/** What the answer's translation may know. */
export interface AnswerContext {
  readonly traceId: string;
  /** Seconds since 1970, when the request had been read. */
  readonly createdS: number;
  /** The expert that answers. */
  readonly expert: string;
}

/** A request in the one form, and how to answer it. */
export interface DialectReading {
  /** With `stream_options.include_usage` set where the dialect shows usage in streams. */
  readonly request: ChatRequest;
  /** Paths of what the one form cannot carry, as the client named them: they go into the header `x-gw-not-carried`. */
  readonly notCarried: readonly string[];
  /**
   * A whole answer in the client's form.
   *
   * @param data JSON text of the completion: what is not changed can be passed on
   */
  whole(completion: ChatCompletion, data: string, context: AnswerContext): string;
  /** Begins a streamed answer. */
  stream(context: AnswerContext): DialectStream;
  /**
   * Keeps what a later request may refer to. Called when the answer has been written to its end, and awaited before that
   * end is sent; never rejects.
   */
  keep?(): Promise<void>;
}

/** Writes one streamed answer as text of server-sent events, empty lines included; an empty text sends nothing. */
export interface DialectStream {
  /** What comes before the first chunk. */
  begin(): string;
  /** @param data JSON text of the chunk */
  chunk(data: string, chunk: ChatChunk): string;
  /** The end of a whole answer. */
  end(): string;
  /** The end of an answer that broke off: a typed error event that the dialect's clients raise. */
  fail(error: HttpError): string;
}

/** Asks a gateway in a client's format and says, in one word, how the answer ended for the client. */

/** Client formats of the comparison. */
export const DIALECTS = ['chat', 'responses', 'messages'] as const;

/** One of `DIALECTS`. */
export type DialectName = (typeof DIALECTS)[number];

/** How an answer ended, as its client sees it. */
export interface Observed {
  /**
   * - `answer`: whole, with the text that was expected;
   * - `other-text`: it looks whole, and the text is not the one;
   * - `error`: a status of 400 or more, with an error object in the format's own form;
   * - `told`: a stream that broke off and said so in an error event, without a clean end;
   * - `cut`: a stream that just stopped;
   * - `unclear`: anything else that no client of the format can make sense of;
   * - `hang`: no end within the limit;
   * - `no-http`: the connection broke.
   */
  readonly end: 'answer' | 'other-text' | 'error' | 'told' | 'cut' | 'unclear' | 'hang' | 'no-http';
  readonly status: number;
}

/** Where to ask. */
export interface Address {
  /** Up to and including `/v1`. */
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly model: string;
}

const PATHS: Readonly<Record<DialectName, string>> = {
  chat: 'chat/completions',
  responses: 'responses',
  messages: 'messages',
};

/** Asks a question, without the answer. */
export function request(
  dialect: DialectName,
  { baseUrl, headers, model }: Address,
  stream: boolean,
  signal: AbortSignal,
): Promise<Response> {
  const question = 'What is the answer?';
  const body =
    dialect === 'responses'
      ? { model, stream, input: question, store: false }
      : {
          model,
          stream,
          messages: [{ role: 'user', content: question }],
          ...(dialect === 'messages' ? { max_tokens: 200 } : {}),
        };
  return fetch(`${baseUrl}/${PATHS[dialect]}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
    signal,
  });
}

/**
 * Asks, reads the answer to its end and judges it.
 *
 * @param expected text of the whole answer
 */
export async function observe(
  dialect: DialectName,
  address: Address,
  stream: boolean,
  expected: string,
  limitMs: number,
): Promise<Observed> {
  const limit = AbortSignal.timeout(limitMs);
  let status = 0;
  try {
    const response = await request(dialect, address, stream, limit);
    ({ status } = response);
    const text = await response.text();
    if (status >= 400) return { status, end: isError(dialect, parsed(text)) ? 'error' : 'unclear' };
    if (!stream) return { status, end: wholeEnd(textOfWhole(dialect, parsed(text)), expected) };
    return { status, end: streamEnd(dialect, eventsOf(text), expected) };
  } catch {
    return { status, end: limit.aborted ? 'hang' : 'no-http' };
  }
}

// What a gateway under test sends may be anything: each read of it stands any value.
// biome-ignore lint/suspicious/noExplicitAny: a parsing seam
type Json = Record<string, any>;

interface StreamEvent {
  readonly name: string | undefined;
  readonly data: string;
  readonly json: Json | undefined;
}

function wholeEnd(text: string | undefined, expected: string): Observed['end'] {
  if (text === undefined) return 'unclear';
  return text === expected ? 'answer' : 'other-text';
}

function streamEnd(dialect: DialectName, events: readonly StreamEvent[], expected: string): Observed['end'] {
  const { text, isClean, isTold } = readStream[dialect](events);
  if (isClean && isTold) return 'unclear';
  if (isClean) return wholeEnd(text, expected);
  return isTold ? 'told' : 'cut';
}

interface ReadStream {
  readonly text: string;
  /** It ended as a whole answer ends. */
  readonly isClean: boolean;
  /** It said that something went wrong. */
  readonly isTold: boolean;
}

const readStream: Readonly<Record<DialectName, (events: readonly StreamEvent[]) => ReadStream>> = {
  chat(events) {
    const chunks = events.flatMap(({ json }) => (json === undefined ? [] : [json]));
    return {
      text: chunks.map((chunk) => chunk['choices']?.[0]?.delta?.content ?? '').join(''),
      isClean:
        chunks.some((chunk) => chunk['choices']?.[0]?.finish_reason != null) && events.at(-1)?.data.trim() === '[DONE]',
      isTold: chunks.some((chunk) => isError('chat', chunk)),
    };
  },
  responses(events) {
    const last = events.at(-1)?.json;
    const deltas = events.flatMap(({ json }) =>
      json?.['type'] === 'response.output_text.delta' ? [json['delta']] : [],
    );
    return {
      text: deltas.join(''),
      isClean: last?.['type'] === 'response.completed' && last['response']?.status === 'completed',
      isTold:
        (last?.['type'] === 'response.failed' && typeof last['response']?.error?.message === 'string') ||
        (last?.['type'] === 'error' && typeof last['message'] === 'string'),
    };
  },
  messages(events) {
    const last = events.at(-1);
    const deltas = events.flatMap(({ json }) => (json?.['delta']?.type === 'text_delta' ? [json['delta'].text] : []));
    return {
      text: deltas.join(''),
      isClean:
        last?.json?.['type'] === 'message_stop' &&
        events.some(({ json }) => json?.['type'] === 'message_delta' && json['delta']?.stop_reason != null),
      isTold: last?.name === 'error' && isError('messages', last.json),
    };
  },
};

function textOfWhole(dialect: DialectName, body: Json | undefined): string | undefined {
  if (dialect === 'chat') return body?.['choices']?.[0]?.message?.content;
  if (dialect === 'messages') return body?.['stop_reason'] == null ? undefined : body['content']?.[0]?.text;
  if (body?.['status'] !== 'completed') return undefined;
  return body['output']?.find((item: Json) => item['type'] === 'message')?.content?.[0]?.text;
}

function isError(dialect: DialectName, body: Json | undefined): boolean {
  const error = body?.['error'];
  if (typeof error?.message !== 'string' || error.message === '') return false;
  return dialect !== 'messages' || (body?.['type'] === 'error' && typeof error.type === 'string');
}

function eventsOf(text: string): StreamEvent[] {
  return text.split(/\r?\n\r?\n/).flatMap((block) => {
    const lines = block.split(/\r?\n/);
    const data = lines.flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trimStart()] : [])).join('\n');
    const name = lines
      .find((line) => line.startsWith('event:'))
      ?.slice(6)
      .trim();
    return data === '' ? [] : [{ name, data, json: parsed(data) }];
  });
}

function parsed(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return value !== null && typeof value === 'object' ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

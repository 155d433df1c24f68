/** An expert on loopback that answers each request with the message that a test names, whole or as a stream. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** An assistant's message in the form of Chat Completions, and how it ended. */
export interface Said {
  readonly message: Readonly<Record<string, unknown>>;
  readonly finish?: string;
  readonly usage?: object | null;
  readonly logprobs?: readonly object[];
  /** Sends nothing more after the content and never ends. */
  readonly hangs?: boolean;
  /** Cuts the connection after the content. */
  readonly breaks?: boolean;
  /** Deltas of the stream as they are, in place of those made of the message. */
  readonly deltas?: readonly object[];
}

// biome-ignore lint/suspicious/noExplicitAny: a parsing seam; tests reach into what they expect to be there.
export type AnyFields = Record<string, any>;

/** A running expert. */
export interface AnsweringExpert {
  readonly url: string;
  /** Bodies as they came in. */
  readonly asked: AnyFields[];
  /** How many connections the other side closed before the answer was over. */
  readonly aborted: number;
  close(): Promise<void>;
}

export const USAGE = {
  prompt_tokens: 20,
  completion_tokens: 9,
  total_tokens: 29,
  prompt_tokens_details: { cached_tokens: 4 },
  completion_tokens_details: { reasoning_tokens: 3 },
};

/** Starts it. `answer` is asked with the number of the request (0, 1, ...) and its body. */
export async function answeringExpert(answer: (number: number, body: AnyFields) => Said): Promise<AnsweringExpert> {
  const asked: AnyFields[] = [];
  let aborted = 0;
  const server = createServer(async (request, response) => {
    const parts: Buffer[] = [];
    for await (const part of request) parts.push(part as Buffer);
    const body = JSON.parse(Buffer.concat(parts).toString('utf8')) as AnyFields;
    const said = answer(asked.push(body) - 1, body);
    response.on('close', () => {
      if (!response.writableEnded) aborted++;
    });
    const { message, finish = 'stop', usage = USAGE, logprobs } = said;
    if (body['stream'] !== true) {
      response.writeHead(200, { 'content-type': 'application/json' });
      if (said.hangs === true) return;
      response.end(
        JSON.stringify({
          id: 'chatcmpl-1',
          object: 'chat.completion',
          created: 1,
          model: 'model-of-expert',
          choices: [
            {
              index: 0,
              message: { role: 'assistant', content: null, ...message },
              finish_reason: finish,
              logprobs: logprobs === undefined ? null : { content: logprobs },
            },
          ],
          ...(usage === null ? {} : { usage }),
        }),
      );
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const event = (choice: object | undefined, more: object = {}): void => {
      response.write(
        `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1, model: 'model-of-expert', choices: choice === undefined ? [] : [choice], ...more })}\n\n`,
      );
    };
    event({ index: 0, delta: { role: 'assistant', content: '' }, finish_reason: null });
    const deltas = said.deltas ?? deltasOf(message);
    let token = 0;
    for (const delta of deltas) {
      const own = 'content' in delta && logprobs !== undefined ? [logprobs[token++]] : undefined;
      event({ index: 0, delta, finish_reason: null, ...(own === undefined ? {} : { logprobs: { content: own } }) });
    }
    if (said.hangs === true) return;
    if (said.breaks === true) {
      setTimeout(() => response.destroy(), 20);
      return;
    }
    event({ index: 0, delta: {}, finish_reason: finish });
    if (usage !== null) event(undefined, { usage });
    response.end('data: [DONE]\n\n');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`,
    asked,
    get aborted() {
      return aborted;
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

/** The pieces in which a server would stream a message: thoughts, text, refusal, calls. */
export function deltasOf(message: Readonly<Record<string, unknown>>): object[] {
  const {
    reasoning_content: thoughts,
    reasoning_details: details,
    content,
    refusal,
    annotations,
    tool_calls,
  } = message;
  const pieces = (text: unknown): string[] => (typeof text === 'string' ? (text.match(/[\s\S]{1,5}/g) ?? []) : []);
  return [
    ...pieces(thoughts).map((piece) => ({ reasoning_content: piece })),
    ...((details as object[] | undefined) ?? []).map((detail, index) => ({
      reasoning_details: [{ index, ...detail }],
    })),
    ...pieces(content).map((piece) => ({ content: piece })),
    ...pieces(refusal).map((piece) => ({ refusal: piece })),
    ...(annotations === undefined ? [] : [{ annotations }]),
    ...((tool_calls as AnyFields[] | undefined) ?? []).flatMap((call, index) => {
      const body = call['type'] === 'custom' ? 'custom' : 'function';
      const text = body === 'custom' ? 'input' : 'arguments';
      return [
        { tool_calls: [{ index, id: call['id'], type: body, [body]: { name: call[body].name, [text]: '' } }] },
        ...pieces(call[body][text]).map((piece) => ({ tool_calls: [{ index, [body]: { [text]: piece } }] })),
      ];
    }),
  ];
}

/** OpenAI's Chat Completions: the one form itself, so nothing is translated and events go out as they came. */
import type { Dialect, DialectReading, DialectStream } from './dialect.ts';
import { checkChatRequest } from './request.ts';

/** `POST /v1/chat/completions`. */
export function chatCompletions(): Dialect {
  return {
    name: 'chat',
    read: (body): DialectReading => ({
      request: checkChatRequest(body),
      notCarried: [],
      whole: (_, data) => data,
      stream: () => STREAM,
    }),
    error: ({ body }) => body,
  };
}

const STREAM: DialectStream = {
  begin: () => '',
  chunk: (data) => `data: ${data}\n\n`,
  end: () => 'data: [DONE]\n\n',
  fail: ({ body }) => `data: ${body}\n\n`,
};

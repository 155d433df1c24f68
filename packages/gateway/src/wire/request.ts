/** Reading a chat request: bytes to a checked body. Only what Gatewright itself relies on is checked. */
import { isUtf8 } from 'node:buffer';
import { GatewrightError } from '@gatewright/kernel';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { ChatRequest } from './chat.ts';

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));

const ChatRequestSchema = Type.Object({
  model: Type.String({ minLength: 1, maxLength: 200 }),
  messages: Type.Array(
    Type.Object({
      role: Type.String({ minLength: 1 }),
      content: Nullable(Type.Union([Type.String(), Type.Array(Type.Object({ type: Type.String() }))])),
    }),
    { minItems: 1 },
  ),
  stream: Nullable(Type.Boolean()),
  stream_options: Nullable(Type.Object({ include_usage: Type.Optional(Type.Boolean()) })),
  max_tokens: Nullable(Type.Integer({ minimum: 1 })),
  max_completion_tokens: Nullable(Type.Integer({ minimum: 1 })),
  n: Nullable(Type.Integer({ minimum: 1, maximum: 128 })),
  seed: Nullable(Type.Integer()),
  temperature: Nullable(Type.Number()),
  logprobs: Nullable(Type.Boolean()),
  top_logprobs: Nullable(Type.Integer({ minimum: 0, maximum: 20 })),
  stop: Nullable(Type.Union([Type.String(), Type.Array(Type.String())])),
  tools: Nullable(Type.Array(Type.Object({}))),
  response_format: Nullable(Type.Object({ type: Type.String() })),
  user: Nullable(Type.String()),
});

const validator = Compile(ChatRequestSchema);

/**
 * Parses a JSON body.
 *
 * @throws {GatewrightError} `GW_REQUEST_ENCODING` or `GW_REQUEST_JSON`
 */
export function parseJsonBody(bytes: Buffer): unknown {
  if (!isUtf8(bytes))
    throw new GatewrightError('GW_REQUEST_ENCODING', 'The body is not valid UTF-8.', {
      fix: 'Send the JSON as UTF-8.',
    });
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new GatewrightError(
      'GW_REQUEST_JSON',
      `The body is not JSON: ${bytes.length === 0 ? 'it is empty' : reason(error, bytes.toString('utf8').trimEnd().length)}.`,
      {
        fix: 'Send one JSON object, and check for a missing bracket or a stray comma.',
      },
    );
  }
}

/**
 * Checks that a parsed body is a chat request.
 *
 * @throws {GatewrightError} `GW_REQUEST_TYPE`, naming the path and what belongs there
 */
export function checkChatRequest(body: unknown): ChatRequest {
  if (validator.Check(body)) return body as ChatRequest;
  if (body === null || typeof body !== 'object' || Array.isArray(body)) {
    throw new GatewrightError(
      'GW_REQUEST_TYPE',
      `The body must be an object, it is ${Array.isArray(body) ? 'a list' : body === null ? 'null' : `a ${typeof body}`}.`,
      { fix: 'Send {"model": ..., "messages": [...]}.' },
    );
  }
  const [error] = validator.Errors(body);
  // In a union the branches are reported first; the outermost place is what the caller has to mend.
  const path = dotted(error?.instancePath ?? '');
  if (error?.keyword === 'required') {
    const names = (error.params as { requiredProperties: string[] }).requiredProperties;
    const missing = [path, names[0]].filter(Boolean).join('.');
    throw new GatewrightError('GW_REQUEST_TYPE', `"${missing}" is missing.`, {
      path: missing,
      fix: EXPECTED[names[0]!] ?? 'Add it.',
    });
  }
  const field = path.split(/[.[]/)[0]!;
  throw new GatewrightError('GW_REQUEST_TYPE', `${path || 'The body'} ${error?.message ?? 'has the wrong form'}.`, {
    path,
    fix: EXPECTED[path.split('.').at(-1)!] ?? EXPECTED[field] ?? 'Correct its type.',
  });
}

const EXPECTED: Readonly<Record<string, string>> = {
  model: 'Name a mode such as "gw/auto", or an expert; GET /v1/models lists them.',
  messages: 'Give a list of at least one {"role": ..., "content": ...}.',
  role: 'Use "system", "developer", "user", "assistant" or "tool".',
  content: 'Give a text, or a list of parts such as {"type": "text", "text": ...}.',
  stream: 'Use true or false.',
  stream_options: 'Use {"include_usage": true}.',
  max_tokens: 'Use a whole number of at least 1.',
  max_completion_tokens: 'Use a whole number of at least 1.',
  n: 'Use a whole number from 1 to 128.',
  seed: 'Use a whole number.',
  temperature: 'Use a number.',
  logprobs: 'Use true or false.',
  top_logprobs: 'Use a whole number from 0 to 20.',
  stop: 'Use a text or a list of texts.',
  tools: 'Give a list of tool objects.',
  response_format: 'Use {"type": "json_object"} or a JSON schema.',
  user: 'Use a text.',
};

/** `/messages/2/role` -> `messages[2].role` */
function dotted(pointer: string): string {
  return pointer
    .split('/')
    .slice(1)
    .map((key) => (/^\d+$/.test(key) ? `[${key}]` : `.${key}`))
    .join('')
    .replace(/^\./, '');
}

/** V8 quotes the text around the fault; a body may hold what must not come back in an error. */
function reason(error: unknown, length: number): string {
  const message = error instanceof Error ? error.message : String(error);
  const place = /at position (\d+)(?: \(line (\d+) column (\d+)\))?/.exec(message);
  const what =
    message.startsWith('Unexpected end') || Number(place?.[1]) >= length
      ? 'it ends too early'
      : (/^(Bad control character|Bad escaped character|Unterminated string)/.exec(message)?.[1] ??
        'unexpected character');
  return place === null
    ? what
    : `${what} at position ${place[1]}${place[2] === undefined ? '' : ` (line ${place[2]}, column ${place[3]})`}`;
}

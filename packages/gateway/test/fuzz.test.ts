/**
 * Whatever comes in, from clients or from experts: a typed error or a translation, never a crash and never a hang. The
 * inputs are drawn by seed, so a failure repeats.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GatewrightError, type Random, seededRandom } from '@gatewright/kernel';
import { toHttpError } from '../src/http-errors.ts';
import { ANYONE } from '../src/identity/principal.ts';
import { anthropicRequest } from '../src/providers/anthropic-request.ts';
import { ProviderFailure } from '../src/providers/failure.ts';
import { geminiRequest } from '../src/providers/gemini-request.ts';
import { ollamaRequest } from '../src/providers/ollama-request.ts';
import { memoryResponses } from '../src/stores/responses.ts';
import { chunksOf } from '../src/wire/assemble.ts';
import type { ChatCompletion } from '../src/wire/chat.ts';
import { chatCompletions } from '../src/wire/chat-completions.ts';
import type { Dialect, DialectReading } from '../src/wire/dialect.ts';
import { messages } from '../src/wire/messages.ts';
import { parseJsonBody } from '../src/wire/request.ts';
import { responses } from '../src/wire/responses.ts';

const BODIES = 100_000;
const ASKER = { principal: ANYONE };
const CONTEXT = { traceId: 'tr_1', createdS: 1, expert: 'someone' };

const dialects: Readonly<Record<string, { readonly dialect: Dialect; readonly bodies: readonly object[] }>> = {
  chat: {
    dialect: chatCompletions(),
    bodies: [
      {
        model: 'gw/auto',
        messages: [
          { role: 'system', content: 'Be short.' },
          { role: 'developer', content: [{ type: 'text', text: 'Be kind.' }] },
          {
            role: 'user',
            content: [
              { type: 'text', text: 'What is this?' },
              { type: 'image_url', image_url: { url: 'data:image/png;base64,AAAA', detail: 'low' } },
              { type: 'input_audio', input_audio: { data: 'AAAA', format: 'wav' } },
              { type: 'file', file: { filename: 'a.pdf', file_data: 'data:application/pdf;base64,AAAA' } },
            ],
          },
          {
            role: 'assistant',
            content: null,
            reasoning_content: 'Let me look.',
            reasoning_details: [{ type: 'reasoning.text', text: 'Let me look.', signature: 's' }],
            tool_calls: [{ id: 'c1', type: 'function', function: { name: 'look', arguments: '{"at":1}' } }],
          },
          { role: 'tool', tool_call_id: 'c1', content: 'A cat.' },
        ],
        tools: [{ type: 'function', function: { name: 'look', parameters: { type: 'object' }, strict: true } }],
        tool_choice: { type: 'function', function: { name: 'look' } },
        response_format: { type: 'json_schema', json_schema: { name: 'a', schema: { type: 'object' } } },
        stop: ['END'],
        n: 1,
        seed: 7,
        logprobs: true,
        top_logprobs: 2,
        reasoning_effort: 'low',
        stream: true,
        stream_options: { include_usage: true },
      },
    ],
  },
  messages: {
    dialect: messages(),
    bodies: [
      {
        model: 'gw/auto',
        max_tokens: 100,
        system: [{ type: 'text', text: 'Be short.', cache_control: { type: 'ephemeral' } }],
        messages: [
          {
            role: 'user',
            content: [
              { type: 'text', text: 'What is this?' },
              { type: 'image', source: { type: 'base64', media_type: 'image/png', data: 'AAAA' } },
              { type: 'document', source: { type: 'text', media_type: 'text/plain', data: 'hello' } },
            ],
          },
          {
            role: 'assistant',
            content: [
              { type: 'thinking', thinking: 'Let me look.', signature: 's' },
              { type: 'redacted_thinking', data: 'x' },
              { type: 'tool_use', id: 't1', name: 'look', input: { at: 1 } },
            ],
          },
          {
            role: 'user',
            content: [
              { type: 'tool_result', tool_use_id: 't1', is_error: true, content: [{ type: 'text', text: 'no' }] },
            ],
          },
        ],
        tools: [{ name: 'look', description: 'Looks.', input_schema: { type: 'object' } }],
        tool_choice: { type: 'tool', name: 'look', disable_parallel_tool_use: true },
        thinking: { type: 'enabled', budget_tokens: 1024 },
        stop_sequences: ['END'],
        temperature: 0.5,
        top_p: 0.9,
        top_k: 10,
        metadata: { user_id: 'u' },
        stream: true,
      },
    ],
  },
  responses: {
    dialect: responses({
      store: memoryResponses(),
      isKept: () => true,
      newId: () => '0'.repeat(32),
      now: () => 1,
      onFault: () => {},
    }),
    bodies: [
      { model: 'gw/auto', input: 'Hello.', store: false },
      {
        model: 'gw/auto',
        store: false,
        instructions: 'Be short.',
        input: [
          { role: 'user', content: 'What is this?' },
          {
            type: 'message',
            role: 'user',
            content: [{ type: 'input_image', image_url: 'data:image/png;base64,AAAA' }],
          },
          { type: 'reasoning', id: 'rs_1', summary: [{ type: 'summary_text', text: 'hm' }], encrypted_content: 'x' },
          { type: 'function_call', call_id: 'c1', name: 'look', arguments: '{"at":1}' },
          { type: 'function_call_output', call_id: 'c1', output: 'A cat.' },
          {
            type: 'message',
            role: 'assistant',
            id: 'msg_1',
            status: 'completed',
            content: [{ type: 'output_text', text: 'A cat.', annotations: [] }],
          },
        ],
        tools: [{ type: 'function', name: 'look', parameters: { type: 'object' }, strict: true }],
        tool_choice: { type: 'function', name: 'look' },
        text: { format: { type: 'json_schema', name: 'a', schema: { type: 'object' } }, verbosity: 'low' },
        reasoning: { effort: 'low', summary: 'auto' },
        include: ['message.output_text.logprobs', 'reasoning.encrypted_content'],
        max_output_tokens: 100,
        metadata: { a: 'b' },
        stream: true,
      },
    ],
  },
};

const ANSWER: ChatCompletion = {
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1,
  model: 'm',
  choices: [
    {
      index: 0,
      message: {
        role: 'assistant',
        content: 'It is a cat.',
        reasoning_content: 'hm',
        reasoning_details: [{ type: 'reasoning.text', text: 'hm', signature: 's' }],
        tool_calls: [{ id: 'c2', type: 'function', function: { name: 'look', arguments: '{"at":2}' } }],
      },
      finish_reason: 'tool_calls',
      logprobs: null,
    },
  ],
  usage: { prompt_tokens: 3, completion_tokens: 4, total_tokens: 7 },
};

describe('bodies that are not what they should be', () => {
  for (const [name, { dialect, bodies }] of Object.entries(dialects)) {
    test(`${Math.ceil(BODIES / 3)} of ${name} are translated or refused with a code`, async () => {
      const random = seededRandom(20_261_122);
      let refused = 0;
      for (let i = 0; i < BODIES / 3; i++) {
        const body = mutated(bodies[i % bodies.length]!, random);
        try {
          const asked = dialect.read(body, ASKER);
          translateOn(asked instanceof Promise ? await asked : asked, i % 50 === 0);
        } catch (error) {
          refused++;
          checkRefusal(error, dialect, body);
        }
      }
      assert.ok(refused > 1_000 && refused < BODIES / 3 - 1_000, `${refused} were refused`);
    });
  }

  test('bytes that are no JSON, or not all of it, are refused with a code', () => {
    const random = seededRandom(7);
    const whole = Buffer.from(JSON.stringify(dialects['messages']!.bodies[0]));
    for (let length = 0; length < whole.length; length++)
      assert.throws(() => parseJsonBody(whole.subarray(0, length)), isTyped(/^GW_REQUEST_(JSON|ENCODING)$/));
    for (let i = 0; i < 20_000; i++) {
      const bytes = Buffer.from(whole);
      for (let n = random.below(4); n >= 0; n--) bytes[random.below(bytes.length)] = random.below(256);
      try {
        parseJsonBody(bytes);
      } catch (error) {
        assert.ok(isTyped(/^GW_REQUEST_(JSON|ENCODING)$/)(error));
      }
    }
  });
});

/** A request that was taken can be sent to every provider and answered in both forms. */
function translateOn(reading: DialectReading, answers: boolean): void {
  const { request, notCarried } = reading;
  assert.ok(notCarried.every((path) => typeof path === 'string'));
  const makers = [
    () => request,
    () =>
      anthropicRequest(request, {
        model: 'm',
        maxTokens: 100,
        cache: true,
        thinking: 'budget',
        structuredOutput: 'native',
      }).body,
    () => geminiRequest(request, {}, { hasThinkingLevels: true }).body,
    () => ollamaRequest(request, 'm', true, {}).body,
  ];
  for (const make of makers) {
    try {
      assert.equal(typeof JSON.stringify(make()), 'string');
    } catch (error) {
      if (!(error instanceof ProviderFailure)) throw error;
    }
  }
  if (!answers) return;
  assert.equal(typeof JSON.parse(reading.whole(ANSWER, JSON.stringify(ANSWER), CONTEXT)), 'object');
  const stream = reading.stream(CONTEXT);
  let text = stream.begin();
  for (const chunk of chunksOf(ANSWER)) text += stream.chunk(JSON.stringify(chunk), chunk);
  text += stream.end();
  assert.ok(text.includes('data: '));
}

function checkRefusal(error: unknown, dialect: Dialect, body: unknown): void {
  if (!(error instanceof GatewrightError)) throw new Error(`not typed, for ${clip(body)}`, { cause: error });
  const http = toHttpError(error);
  assert.ok(http.status >= 400 && http.status < 500, `${http.code} ${http.status} for ${clip(body)}`);
  assert.ok(error.fix !== '');
  assert.equal(typeof JSON.parse(dialect.error(http)), 'object');
}

function isTyped(code: RegExp): (error: unknown) => boolean {
  return (error) => error instanceof GatewrightError && code.test(error.code);
}

function clip(body: unknown): string {
  return JSON.stringify(body)?.slice(0, 2_000) ?? 'undefined';
}

/** What stands where something else should. */
const HOSTILE: readonly (() => unknown)[] = [
  () => null,
  () => true,
  () => -1,
  () => 0.5,
  () => 1e308,
  () => '',
  () => 'x',
  () => '\ud800 half a character',
  () => 'long '.repeat(400),
  () => [],
  () => {},
  () => ({}),
  () => [null],
  () => [[[]]],
  () => [{}],
  () => [{ type: 'text' }],
  () => [{ type: 'text', text: 7 }],
  () => ({ type: 'unheard-of', value: 1 }),
  () => JSON.parse('{"__proto__": {"polluted": true}, "constructor": 1, "toString": 2}'),
  () => nested(60),
];

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let i = 0; i < depth; i++) value = i % 2 === 0 ? [value] : { a: value };
  return value;
}

/** The body with one to three places changed, taken out or said twice. */
function mutated(body: object, random: Random): unknown {
  let whole: unknown = structuredClone(body);
  for (let n = random.below(3); n >= 0; n--) {
    const places: [object, string][] = [];
    collect(whole, places);
    if (places.length === 0) break;
    const [parent, key] = places[random.below(places.length)]!;
    const fields = parent as Record<string, unknown>;
    const value = HOSTILE[random.below(HOSTILE.length)]!();
    switch (random.below(4)) {
      case 0:
        if (Array.isArray(parent)) parent.splice(Number(key), 1);
        else delete fields[key];
        break;
      case 1:
        if (Array.isArray(parent)) parent.push(structuredClone(parent[Number(key)]));
        else fields[`${key}_`] = value;
        break;
      default:
        fields[key] = value;
    }
    if (random.below(200) === 0) whole = value;
  }
  // As it would come out of JSON.
  const text = JSON.stringify(whole);
  return text === undefined ? undefined : JSON.parse(text);
}

function collect(value: unknown, out: [object, string][]): void {
  if (value === null || typeof value !== 'object') return;
  for (const key of Object.keys(value)) {
    out.push([value, key]);
    collect((value as Record<string, unknown>)[key], out);
  }
}

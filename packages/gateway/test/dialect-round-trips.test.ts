/**
 * What both sides can express is not lost between them: requests through the one form and out again, answers through each
 * dialect and back, streams however they are cut.
 */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { ANYONE } from '../src/identity/principal.ts';
import { anthropicFormat } from '../src/providers/anthropic-answer.ts';
import { anthropicRequest } from '../src/providers/anthropic-request.ts';
import { memoryResponses } from '../src/stores/responses.ts';
import { assemble, chunksOf } from '../src/wire/assemble.ts';
import type { ChatChunk, ChatCompletion, ChatMessage } from '../src/wire/chat.ts';
import { chatCompletions } from '../src/wire/chat-completions.ts';
import type { Dialect, DialectReading } from '../src/wire/dialect.ts';
import { messages } from '../src/wire/messages.ts';
import { readMessagesRequest } from '../src/wire/messages-request.ts';
import { responses } from '../src/wire/responses.ts';

type Fields = Readonly<Record<string, unknown>>;

const RUNS = { numRuns: 400, seed: 20_261_122 };
const CONTEXT = { traceId: 'tr_1', createdS: 1, expert: 'someone' };
const USER = { role: 'user', content: 'Hello.' };

// As it comes over the wire: without what JSON cannot say.
const overWire = <T>(value: T): T => JSON.parse(JSON.stringify(value)) as T;

// White space alone is refused by some servers, and left out by who writes to them.
const words = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }).map((text) => `${text}.`);
const name = fc.stringMatching(/^[a-z_]{1,12}$/);
const input = fc.dictionary(words, fc.jsonValue({ maxDepth: 2 }), { maxKeys: 3, noNullPrototype: true });

describe('a Messages request through the one form alone', () => {
  const text = fc.record({ type: fc.constant('text'), text: words });
  const source = fc.oneof(
    fc.record({
      type: fc.constant('base64'),
      media_type: fc.constantFrom('image/png', 'image/jpeg'),
      data: fc.base64String({ minLength: 4 }),
    }),
    fc.record({ type: fc.constant('url'), url: fc.webUrl({ validSchemes: ['https'] }) }),
  );
  const image = fc.record({ type: fc.constant('image'), source });
  const toolResult = fc.record(
    { type: fc.constant('tool_result'), tool_use_id: name, content: words, is_error: fc.constant(true) },
    { requiredKeys: ['type', 'tool_use_id', 'content'] },
  );
  const thinking = fc.oneof(
    fc.record({ type: fc.constant('thinking'), thinking: words, signature: words }),
    fc.record({ type: fc.constant('redacted_thinking'), data: words }),
  );
  const toolUse = fc.record({ type: fc.constant('tool_use'), id: name, name, input });
  const userTurn = fc
    .tuple(fc.array(toolResult, { maxLength: 2 }), fc.array(fc.oneof(text, image), { minLength: 1, maxLength: 3 }))
    .map(([results, said]) => ({ role: 'user', content: [...results, ...said] }));
  const assistantTurn = fc
    .tuple(fc.array(thinking, { maxLength: 2 }), text, fc.array(toolUse, { maxLength: 2 }))
    .map(([thoughts, said, calls]) => ({ role: 'assistant', content: [...thoughts, said, ...calls] }));
  const tool = fc.record(
    {
      name,
      description: words,
      input_schema: fc.constant({ type: 'object', properties: { at: { type: 'number' } } }),
      strict: fc.boolean(),
    },
    { requiredKeys: ['name', 'input_schema'] },
  );
  const request = fc
    .record(
      {
        turns: fc.array(fc.tuple(userTurn, assistantTurn), { maxLength: 2 }),
        last: userTurn,
        max_tokens: fc.integer({ min: 2_000, max: 9_000 }),
        system: words,
        tools: fc.array(tool, { minLength: 1, maxLength: 2 }),
        choice: fc.constantFrom('auto', 'any', 'none', 'tool'),
        isOneCall: fc.boolean(),
        stop_sequences: fc.array(words, { minLength: 1, maxLength: 2 }),
        // Newer models of the format take one of the two.
        sampling: fc.constantFrom({ temperature: 0 }, { temperature: 1 }, { top_p: 0.1 }),
        metadata: fc.record({ user_id: words }),
        service_tier: fc.constantFrom('auto', 'standard_only'),
        output_config: fc.constant({ format: { type: 'json_schema', schema: { type: 'object' } } }),
      },
      { requiredKeys: ['turns', 'last', 'max_tokens'] },
    )
    .map(({ turns, last, choice, isOneCall, sampling, ...rest }) => ({
      model: 'm',
      messages: [...turns.flat(), last],
      ...rest,
      ...sampling,
      ...(rest.tools === undefined || choice === undefined
        ? {}
        : {
            tool_choice: {
              type: choice,
              ...(choice === 'tool' ? { name: rest.tools[0]!.name } : {}),
              ...(isOneCall === true && choice !== 'none' ? { disable_parallel_tool_use: true } : {}),
            },
          }),
    }));

  /** A text and a list of that text alone say the same. */
  const blocks = (content: unknown): unknown =>
    typeof content === 'string' ? [{ type: 'text', text: content }] : content;
  const normal = ({ messages: turns, system, ...rest }: Fields): Fields => ({
    ...rest,
    ...(system === undefined ? {} : { system: blocks(system) }),
    messages: (turns as { role: string; content: unknown }[]).map(({ role, content }) => ({
      role,
      content: blocks(content),
    })),
  });

  test('reaches an expert of the format as it was, without its originals', () => {
    fc.assert(
      fc.property(request, (drawn) => {
        const body = overWire(drawn);
        const { body: sent, notCarried } = anthropicRequest(overWire(readMessagesRequest(body, [])), {
          model: 'm',
          maxTokens: 1,
          cache: false,
          thinking: 'adaptive',
          structuredOutput: 'native',
        });
        assert.deepEqual(normal(overWire(sent)), normal(body));
        assert.deepEqual(notCarried, []);
      }),
      RUNS,
    );
  });
});

/** An answer of an expert: any mix of thoughts, text, refusal, calls and counts. */
const answered = fc
  .record({
    unsigned: fc.option(words, { nil: undefined }),
    signed: fc.array(fc.record({ text: words, signature: words }), { maxLength: 2 }),
    sealed: fc.array(words, { maxLength: 2 }),
    content: fc.option(words),
    refusal: fc.option(words, { nil: undefined }),
    calls: fc.uniqueArray(fc.record({ id: name, name, input }), { maxLength: 3, selector: ({ id }) => id }),
    finish: fc.constantFrom('stop', 'length', 'content_filter'),
    counts: fc.tuple(fc.nat(1_000), fc.nat(1_000), fc.nat(1_000), fc.nat(1_000), fc.nat(1_000)),
  })
  .map(({ unsigned, signed, sealed, content, refusal, calls, finish, counts }): ChatCompletion => {
    const [fresh, cached, created, written, reasoning] = counts;
    const thoughts = signed.length > 0 ? signed.map(({ text }) => text).join('') : unsigned;
    const details = [
      ...signed.map((thought) => ({ type: 'reasoning.text', ...thought })),
      ...sealed.map((data) => ({ type: 'reasoning.encrypted', data })),
    ];
    return {
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content,
            ...(refusal === undefined ? {} : { refusal }),
            ...(thoughts === undefined ? {} : { reasoning_content: thoughts }),
            ...(details.length === 0 ? {} : { reasoning_details: details }),
            ...(calls.length === 0
              ? {}
              : {
                  tool_calls: calls.map((call) => ({
                    id: call.id,
                    type: 'function',
                    function: { name: call.name, arguments: JSON.stringify(call.input) },
                  })),
                }),
          },
          finish_reason: calls.length > 0 ? 'tool_calls' : finish,
        },
      ],
      usage: {
        prompt_tokens: fresh + cached + created,
        completion_tokens: written + reasoning,
        total_tokens: fresh + cached + created + written + reasoning,
        prompt_tokens_details: { cached_tokens: cached, cache_creation_tokens: created },
        completion_tokens_details: { reasoning_tokens: reasoning },
      },
    };
  });

/** Lengths of the pieces into which texts are cut. */
const cuts = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 20 });

/** The completion as a stream, its texts cut as told: also in the middle of a character of two code units. */
function streamOf({ choices, usage, ...head }: ChatCompletion, lengths: readonly number[]): ChatChunk[] {
  const { message, finish_reason: finish } = choices[0]!;
  let at = 0;
  const chunk = (delta: Fields, finish_reason: string | null = null): ChatChunk => ({
    ...head,
    object: 'chat.completion.chunk',
    choices: [{ index: 0, delta, finish_reason }],
  });
  const pieces = (text: unknown): string[] => {
    if (typeof text !== 'string') return [];
    const out: string[] = [];
    for (let from = 0; from < text.length; ) {
      const length = lengths[at++ % lengths.length]!;
      out.push(text.slice(from, from + length));
      // Some servers send chunks that say nothing.
      if (length === 1) out.push('');
      from += length;
    }
    return out;
  };
  const calls = (message['tool_calls'] ?? []) as { id: string; function: { name: string; arguments: string } }[];
  const details = (message['reasoning_details'] ?? []) as Fields[];
  return [
    chunk({ role: 'assistant', content: '' }),
    ...(details.some(({ text }) => text !== undefined) ? [] : pieces(message['reasoning_content'])).map(
      (reasoning_content) => chunk({ reasoning_content }),
    ),
    ...details.flatMap(({ text, ...detail }, index) => [
      ...pieces(text).map((piece) =>
        chunk({ reasoning_content: piece, reasoning_details: [{ type: detail['type'], text: piece, index }] }),
      ),
      chunk({ reasoning_details: [{ ...detail, index }] }),
    ]),
    ...pieces(message.content).map((content) => chunk({ content })),
    ...pieces(message['refusal']).map((refusal) => chunk({ refusal })),
    ...calls.flatMap(({ id, function: { name: called, arguments: text } }, index) => [
      chunk({ tool_calls: [{ index, id, type: 'function', function: { name: called, arguments: '' } }] }),
      ...pieces(text).map((piece) => chunk({ tool_calls: [{ index, function: { arguments: piece } }] })),
    ]),
    chunk({}, finish),
    { ...head, object: 'chat.completion.chunk', choices: [], usage: usage! },
  ];
}

function readingOf(dialect: Dialect, body: object): DialectReading {
  return dialect.read(body, { principal: ANYONE }) as DialectReading;
}

function told(reading: DialectReading, chunks: Iterable<ChatChunk>): string {
  const stream = reading.stream(CONTEXT);
  let text = stream.begin();
  for (const chunk of chunks) text += stream.chunk(JSON.stringify(chunk), chunk);
  return text + stream.end();
}

/** The data of a stream's events. */
function dataOf(text: string): string[] {
  return text.split('\n\n').flatMap((event) => /^data: ([^\n]*)$/m.exec(event)?.[1] ?? []);
}

/** What an answer says, apart from the form. A refusal is text where a dialect has no other place for it. */
function content({ choices, usage }: ChatCompletion): Fields {
  const { message, finish_reason: finish } = choices[0]!;
  const details = (message['reasoning_details'] ?? []) as Fields[];
  return {
    text: `${message.content ?? ''}${message['refusal'] ?? ''}`,
    thoughts: message['reasoning_content'] ?? '',
    signed: details.flatMap(({ text, signature }) =>
      signature === undefined || signature === '' ? [] : [{ text, signature }],
    ),
    sealed: details.flatMap(({ data }) => (data === undefined ? [] : [data])),
    calls: ((message['tool_calls'] ?? []) as { id: string; function: { name: string; arguments: string } }[]).map(
      ({ id, function: called }) => ({ id, name: called.name, input: JSON.parse(called.arguments) as unknown }),
    ),
    finish,
    usage,
  };
}

describe('an answer in Messages', () => {
  const reading = readingOf(messages(), { model: 'm', max_tokens: 1, messages: [USER] });
  const read = () => anthropicFormat({ secrets: [], answerTool: undefined, createdS: 1 });

  test('says whole what the expert said', () => {
    fc.assert(
      fc.property(answered, (completion) => {
        const back = read().whole(reading.whole(completion, '', CONTEXT)).completion.body;
        assert.deepEqual(content(overWire(back)), content(overWire(completion)));
      }),
      RUNS,
    );
  });

  test('says as a stream what the expert said, wherever it is cut, and again from a cache', () => {
    fc.assert(
      fc.property(answered, cuts, fc.boolean(), (completion, lengths, isCached) => {
        const back: ChatChunk[] = [];
        const translator = read().stream((chunk) => back.push(chunk));
        const chunks = isCached ? chunksOf(completion) : streamOf(completion, lengths);
        for (const data of dataOf(told(reading, chunks))) translator.event(data, undefined);
        translator.end();
        assert.deepEqual(content(overWire(assemble(back)!)), content(overWire(completion)));
      }),
      RUNS,
    );
  });

  test('sent back as a turn is the message that it was', () => {
    fc.assert(
      fc.property(answered, (completion) => {
        const { content: turn } = JSON.parse(reading.whole(completion, '', CONTEXT)) as { content: unknown };
        const body = { model: 'm', max_tokens: 1, messages: [USER, { role: 'assistant', content: turn }, USER] };
        const again = overWire(readMessagesRequest(body, [])).messages[1] as ChatMessage;
        assert.deepEqual(content(asCompletion(again, completion)), content(overWire(completion)));
      }),
      RUNS,
    );
  });
});

/** The completion with another message, as it would be sent on. */
function asCompletion(message: ChatMessage, { choices, ...rest }: ChatCompletion): ChatCompletion {
  return overWire({ ...rest, choices: [{ ...choices[0]!, message: message as (typeof choices)[0]['message'] }] });
}

describe('an answer in Responses', () => {
  const store = memoryResponses();
  let number = 0;
  const dialect = responses({
    store,
    isKept: () => true,
    newId: () => (++number).toString(16).padStart(32, '0'),
    now: () => Date.now(),
    onFault: (error) => {
      throw error;
    },
  });
  const ask = (more: object = {}): DialectReading =>
    readingOf(dialect, { model: 'm', input: [USER], include: ['reasoning.encrypted_content'], ...more });

  /** A Response as its published form says it, in the one form. */
  const back = (response: Fields): ChatCompletion => {
    const {
      output,
      usage,
      status,
      incomplete_details: why,
    } = response as {
      output: Fields[];
      usage: Record<string, number & Record<string, number>>;
      status: string;
      incomplete_details: { reason: string } | null;
    };
    const again = ask({ input: [USER, ...output, USER] }).request.messages[1]!;
    const hasCalls = again['tool_calls'] !== undefined;
    const cut = why?.reason === 'max_output_tokens' ? 'length' : 'content_filter';
    const said: ChatCompletion = {
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [
        {
          index: 0,
          message: plain(again) as ChatCompletion['choices'][0]['message'],
          finish_reason: status === 'incomplete' ? cut : hasCalls ? 'tool_calls' : 'stop',
        },
      ],
      usage: {
        prompt_tokens: usage['input_tokens']!,
        completion_tokens: usage['output_tokens']!,
        total_tokens: usage['total_tokens']!,
        prompt_tokens_details: {
          cached_tokens: usage['input_tokens_details']!['cached_tokens'],
          cache_creation_tokens: usage['input_tokens_details']!['cache_write_tokens'],
        },
        completion_tokens_details: { reasoning_tokens: usage['output_tokens_details']!['reasoning_tokens'] },
      },
    };
    return overWire(said);
  };
  /** Parts of a content as one text. */
  const plain = (message: ChatMessage): ChatMessage => ({
    ...message,
    content: Array.isArray(message.content)
      ? message.content.map((part: Fields) => part['text'] ?? part['refusal']).join('')
      : (message.content ?? null),
  });

  test('says whole what the expert said, and sent back is the message that it was', () => {
    fc.assert(
      fc.property(answered, (completion) => {
        const response = JSON.parse(ask().whole(completion, '', CONTEXT)) as Fields;
        assert.deepEqual(content(back(response)), content(overWire(completion)));
      }),
      RUNS,
    );
  });

  test('ends as a stream in the same items, wherever it is cut, and again from a cache', () => {
    fc.assert(
      fc.property(answered, cuts, fc.boolean(), (completion, lengths, isCached) => {
        const chunks = isCached ? chunksOf(completion) : streamOf(completion, lengths);
        const events = dataOf(told(ask({ stream: true }), chunks)).map((data) => JSON.parse(data) as Fields);
        assert.deepEqual(content(back(events.at(-1)!['response'] as Fields)), content(overWire(completion)));
      }),
      RUNS,
    );
  });

  test('has the probabilities of its tokens, from a cache too and where a token is a part of a character', () => {
    const tokens = ['It', ' is', ' so.'].map((token) => ({ token, logprob: -0.5, bytes: null, top_logprobs: [] }));
    const completion: ChatCompletion = {
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: 'It is so.', reasoning_content: 'Hm.' },
          finish_reason: 'stop',
          logprobs: { content: tokens },
        },
      ],
    };
    const delta = (content: string, at: number): ChatChunk => ({
      ...completion,
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta: { content }, finish_reason: null, logprobs: { content: [tokens[at]!] } }],
    });
    const include = ['message.output_text.logprobs'];
    const outputOf = (response: unknown): { type: string; content: { logprobs: unknown[] }[] }[] =>
      (response as { output: { type: string; content: { logprobs: unknown[] }[] }[] }).output;
    const streamed = (chunks: Iterable<ChatChunk>) =>
      outputOf((JSON.parse(dataOf(told(ask({ include }), chunks)).at(-1)!) as Fields)['response']);
    const shown = tokens.map((token) => ({ ...token, bytes: [] }));
    const whole = outputOf(JSON.parse(ask({ include }).whole(completion, '', CONTEXT)));
    for (const output of [whole, streamed(chunksOf(completion))]) {
      assert.deepEqual(
        output.map(({ type }) => type),
        ['reasoning', 'message'],
      );
      assert.deepEqual(output[1]!.content[0]!.logprobs, shown);
    }
    assert.deepEqual(streamed(['It', '', ' is so.'].map(delta))[0]!.content[0]!.logprobs, shown);
  });

  test('is gone on from as the message that it was', () => {
    fc.assert(
      fc.property(answered, (completion) => {
        const asked = ask();
        const { id } = JSON.parse(asked.whole(completion, '', CONTEXT)) as { id: string };
        void asked.keep!();
        const next = ask({ previous_response_id: id }).request.messages;
        assert.deepEqual(next[0], USER);
        assert.deepEqual(next.at(-1), USER);
        assert.deepEqual(content(asCompletion(plain(next[1]!), completion)), content(overWire(completion)));
      }),
      RUNS,
    );
  });
});

test('an answer in Chat Completions is the same whole and streamed, wherever it is cut', () => {
  const reading = readingOf(chatCompletions(), { model: 'm', messages: [USER] });
  fc.assert(
    fc.property(answered, cuts, (completion, lengths) => {
      const data = dataOf(told(reading, streamOf(completion, lengths)));
      assert.equal(data.at(-1), '[DONE]');
      const whole = assemble(data.slice(0, -1).map((text) => JSON.parse(text) as ChatChunk))!;
      assert.deepEqual(content(whole), content(overWire(completion)));
      assert.equal(reading.whole(completion, 'as it came', CONTEXT), 'as it came');
    }),
    RUNS,
  );
});

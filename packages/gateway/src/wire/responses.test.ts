import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { isGatewrightError } from '@gatewright/kernel';
import fc from 'fast-check';
import { toHttpError } from '../http-errors.ts';
import { ANYONE, type Principal } from '../identity/principal.ts';
import { memoryResponses, type ResponseStore } from '../stores/responses.ts';
import type { ChatChunk, ChatCompletion, ChatMessage } from './chat.ts';
import type { DialectReading } from './dialect.ts';
import { ownerOf, responses } from './responses.ts';
import type { Fields } from './responses-check.ts';

const NOW_MS = 1_700_000_000_000;
const CONTEXT = { traceId: 'tr_1', createdS: NOW_MS / 1000, expert: 'one' };

function dialect(store: ResponseStore = memoryResponses({ now: () => NOW_MS }), isKept = true) {
  let number = 0;
  const made = responses({
    store,
    isKept: () => isKept,
    newId: () => (++number).toString(16).padStart(32, '0'),
    now: () => NOW_MS,
    onFault: (error) => {
      throw error;
    },
  });
  return {
    ...made,
    ask: (body: unknown, principal: Principal = ANYONE) => made.read(body, { principal }) as DialectReading,
  };
}

function messagesOf(input: unknown, more: object = {}): readonly ChatMessage[] {
  return dialect().ask({ model: 'm', input, ...more }).request.messages;
}

describe('items become messages', () => {
  const call = (id: string): Fields => ({ type: 'function_call', call_id: id, name: 'f', arguments: '{}' });
  const made = (id: string): object => ({ id, type: 'function', function: { name: 'f', arguments: '{}' } });
  const output = (id: string, text: unknown): Fields => ({ type: 'function_call_output', call_id: id, output: text });
  const said = (text: string): Fields => ({
    type: 'message',
    role: 'assistant',
    content: [{ type: 'output_text', text, annotations: [] }],
  });
  const cases: Readonly<Record<string, [input: unknown, messages: unknown[]]>> = {
    'a text': ['Hi', [{ role: 'user', content: 'Hi' }]],
    'roles as they are': [
      [
        { role: 'developer', content: 'a' },
        { role: 'system', content: 'b' },
        { role: 'user', content: [] },
      ],
      [
        { role: 'developer', content: 'a' },
        { role: 'system', content: 'b' },
        { role: 'user', content: '' },
      ],
    ],
    'text and calls of one turn as one message': [
      [said('Wait.'), call('a'), call('b'), output('a', '1'), output('b', [{ type: 'input_text', text: '2' }])],
      [
        { role: 'assistant', content: 'Wait.', tool_calls: [made('a'), made('b')] },
        { role: 'tool', tool_call_id: 'a', content: '1' },
        { role: 'tool', tool_call_id: 'b', content: '2' },
      ],
    ],
    'calls one after another as two turns': [
      [call('a'), output('a', '1'), call('b'), output('b', '2')],
      [
        { role: 'assistant', content: null, tool_calls: [made('a')] },
        { role: 'tool', tool_call_id: 'a', content: '1' },
        { role: 'assistant', content: null, tool_calls: [made('b')] },
        { role: 'tool', tool_call_id: 'b', content: '2' },
      ],
    ],
    'thoughts with what they led to': [
      [
        { type: 'reasoning', summary: [], content: [{ type: 'reasoning_text', text: 'Hm.' }] },
        said('Yes.'),
        { type: 'reasoning', summary: [{ type: 'summary_text', text: 'S' }], encrypted_content: 'sealed' },
        call('a'),
      ],
      [
        { role: 'assistant', content: 'Yes.', reasoning_content: 'Hm.' },
        {
          role: 'assistant',
          content: null,
          tool_calls: [made('a')],
          reasoning_details: [
            { type: 'reasoning.summary', summary: 'S' },
            { type: 'reasoning.encrypted', data: 'sealed' },
          ],
        },
      ],
    ],
    'thoughts behind the text with that text': [
      [
        said('Yes.'),
        { type: 'reasoning', summary: [], encrypted_content: 'sealed' },
        { role: 'user', content: 'Why?' },
      ],
      [
        { role: 'assistant', content: 'Yes.', reasoning_details: [{ type: 'reasoning.encrypted', data: 'sealed' }] },
        { role: 'user', content: 'Why?' },
      ],
    ],
    'two texts as two messages': [
      [said('One.'), said('Two.')],
      [
        { role: 'assistant', content: 'One.' },
        { role: 'assistant', content: 'Two.' },
      ],
    ],
    'a refusal': [
      [{ role: 'assistant', content: [{ type: 'refusal', refusal: 'No.' }] }],
      [{ role: 'assistant', content: null, refusal: 'No.' }],
    ],
    'a custom call and its output': [
      [
        { type: 'custom_tool_call', call_id: 'c', name: 'run', input: 'x' },
        { type: 'custom_tool_call_output', call_id: 'c', output: 'y' },
      ],
      [
        {
          role: 'assistant',
          content: null,
          tool_calls: [{ id: 'c', type: 'custom', custom: { name: 'run', input: 'x' } }],
        },
        { role: 'tool', tool_call_id: 'c', content: 'y' },
      ],
    ],
    'a picture as the output of a function': [
      [call('a'), output('a', [{ type: 'input_image', image_url: 'data:image/png;base64,AA' }])],
      [
        { role: 'assistant', content: null, tool_calls: [made('a')] },
        {
          role: 'tool',
          tool_call_id: 'a',
          content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AA' } }],
        },
      ],
    ],
  };
  for (const [name, [input, messages]] of Object.entries(cases))
    test(name, () => assert.deepEqual(messagesOf(input), messages));
});

describe('items of any size', () => {
  const most = 300_000;
  const summaries = Array.from({ length: most }, (_, n) => ({ type: 'summary_text', text: `s${n}` }));
  const sealed = Array.from({ length: most }, (_, n) => ({ type: 'reasoning.summary', summary: `e${n}` }));
  const envelope = `gw1.${Buffer.from(JSON.stringify(sealed)).toString('base64url')}`;
  const cases: Readonly<Record<string, unknown[]>> = {
    'thoughts behind a text': [
      { role: 'assistant', content: 'x' },
      { type: 'reasoning', summary: summaries },
    ],
    'parts of a text': [
      { role: 'assistant', content: Array.from({ length: most }, () => ({ type: 'output_text', text: 'x' })) },
    ],
    'sealed thoughts beside others': [
      { type: 'reasoning', summary: summaries, encrypted_content: envelope },
      { role: 'assistant', content: 'x' },
    ],
  };
  // What was spread into a call overflowed the stack, and each summary was compared with everything sealed.
  for (const [name, input] of Object.entries(cases))
    test(`become one message: ${name}`, () => assert.equal(messagesOf(input).length, 1));
});

describe('what is wrong is refused with a hint', () => {
  const cases: Readonly<Record<string, [body: object, path: string, fix: RegExp]>> = {
    'a role that is none': [{ input: [{ role: 'tool', content: 'x' }] }, 'input[0].role', /"developer"/],
    'metadata by any name': [{ input: 'x', metadata: { constructor: 1 } }, 'metadata.constructor', /texts/],
    'metadata named like a field': [{ input: 'x', metadata: { model: 1 } }, 'metadata.model', /texts/],
  };
  for (const [name, [body, path, fix]] of Object.entries(cases))
    test(name, () =>
      assert.throws(
        () => dialect().ask({ model: 'm', ...body }),
        (error: unknown) =>
          isGatewrightError(error) && error.code === 'GW_REQUEST_TYPE' && error.path === path && fix.test(error.fix),
      ),
    );
});

describe('settings', () => {
  const cases: Readonly<Record<string, [asked: object, carried: object]>> = {
    'a JSON object': [{ text: { format: { type: 'json_object' } } }, { response_format: { type: 'json_object' } }],
    'plain text': [{ text: { format: { type: 'text' }, verbosity: 'low' } }, { verbosity: 'low' }],
    'a schema': [
      { text: { format: { type: 'json_schema', name: 'n', schema: {}, strict: true, description: 'd' } } },
      {
        response_format: {
          type: 'json_schema',
          json_schema: { name: 'n', schema: {}, strict: true, description: 'd' },
        },
      },
    ],
    'a forced function': [
      { tools: [{ type: 'function', name: 'f', parameters: null }], tool_choice: { type: 'function', name: 'f' } },
      {
        tools: [{ type: 'function', function: { name: 'f' } }],
        tool_choice: { type: 'function', function: { name: 'f' } },
      },
    ],
    'allowed tools': [
      {
        tools: [{ type: 'function', name: 'f', strict: false }],
        tool_choice: { type: 'allowed_tools', mode: 'required', tools: [{ type: 'function', name: 'f' }] },
      },
      {
        tools: [{ type: 'function', function: { name: 'f', strict: false } }],
        tool_choice: {
          type: 'allowed_tools',
          allowed_tools: { mode: 'required', tools: [{ type: 'function', function: { name: 'f' } }] },
        },
      },
    ],
    'a custom tool with a grammar': [
      { tools: [{ type: 'custom', name: 'c', format: { type: 'grammar', syntax: 'lark', definition: 'd' } }] },
      {
        tools: [
          {
            type: 'custom',
            custom: { name: 'c', format: { type: 'grammar', grammar: { syntax: 'lark', definition: 'd' } } },
          },
        ],
      },
    ],
    'names that both sides know': [
      { user: 'u', safety_identifier: 's', prompt_cache_key: 'k', service_tier: 'flex', parallel_tool_calls: false },
      { user: 'u', safety_identifier: 's', prompt_cache_key: 'k', service_tier: 'flex', parallel_tool_calls: false },
    ],
    'nulls as if they were not there': [
      { temperature: null, tools: null, text: null, reasoning: null, metadata: null, background: null, include: null },
      {},
    ],
    'metadata stays here': [{ metadata: { a: 'b' }, store: false }, {}],
  };
  for (const [name, [asked, carried]] of Object.entries(cases))
    test(name, () => {
      const { request, notCarried } = dialect().ask({ model: 'm', input: 'Hi', ...asked });
      const { model: _, messages: __, ...rest } = request;
      assert.deepEqual(rest, carried);
      assert.deepEqual(notCarried, []);
    });

  test('fields of tools and calls that have no place are named', () => {
    const { notCarried } = dialect().ask({
      model: 'm',
      input: [
        { role: 'user', content: 'x' },
        { type: 'function_call', call_id: 'c', name: 'f', arguments: '{}', caller: { type: 'direct' } },
        {
          type: 'function_call',
          call_id: 'd',
          name: 'f',
          arguments: '{}',
          caller: { type: 'program', caller_id: 'p' },
        },
        { type: 'function_call_output', call_id: 'd', output: 'x', async: true },
      ],
      tools: [
        { type: 'function', name: 'f', parameters: null, strict: null, defer_loading: false, novel: 1 },
        { type: 'custom', name: 'c', shape: 'round' },
      ],
    });
    assert.deepEqual(notCarried, ['tools[0].novel', 'tools[1].shape', 'input[2].caller', 'input[3].async']);
  });

  test('fields that nobody knows are named', () => {
    const { notCarried } = dialect().ask({ model: 'm', input: 'Hi', seed: 5, shape: 'round', image: null });
    assert.deepEqual(notCarried, ['seed', 'shape']);
  });
});

describe('a chain of turns', () => {
  const answered = (asked: DialectReading, text: string): string => {
    const completion: ChatCompletion = {
      id: 'c',
      object: 'chat.completion',
      created: 1,
      model: 'm',
      choices: [{ index: 0, message: { role: 'assistant', content: text }, finish_reason: 'stop' }],
    };
    const { id } = JSON.parse(asked.whole(completion, '', CONTEXT)) as { id: string };
    void asked.keep?.();
    return id;
  };

  test('of a thousand is put together, a longer one is refused', () => {
    const store = memoryResponses({ most: 2_000, now: () => NOW_MS });
    const { ask } = dialect(store);
    let id: string | undefined;
    for (let number = 0; number < 1_000; number++) {
      id = `resp_${number.toString(16).padStart(32, '0')}`;
      store.add({
        id,
        owner: 'open',
        atMs: NOW_MS,
        previousId: number === 0 ? undefined : `resp_${(number - 1).toString(16).padStart(32, '0')}`,
        response: '{}',
        input: `[{"role":"user","content":"q${number}"}]`,
        output: `[{"type":"message","role":"assistant","content":"a${number}"}]`,
      });
    }
    const reading = ask({ model: 'm', input: 'last', previous_response_id: id });
    assert.equal(reading.request.messages.length, 2_001);
    assert.deepEqual(reading.request.messages[0], { role: 'user', content: 'q0' });
    const next = answered(reading, 'done');
    assert.throws(
      () => ask({ model: 'm', input: 'more', previous_response_id: next }),
      (error: unknown) => isGatewrightError(error) && error.code === 'GW_RESPONSE_CHAIN',
    );
  });

  test('with a turn missing is refused, not shortened', () => {
    const store = memoryResponses({ now: () => NOW_MS });
    const { ask } = dialect(store);
    const first = answered(ask({ model: 'm', input: 'one' }), '1');
    const second = answered(ask({ model: 'm', input: 'two', previous_response_id: first }), '2');
    store.remove('open', first);
    assert.throws(
      () => ask({ model: 'm', input: 'three', previous_response_id: second }),
      (error: unknown) =>
        isGatewrightError(error) &&
        error.code === 'GW_RESPONSE_UNKNOWN' &&
        error.message.includes(first) &&
        error.message.includes(second),
    );
  });

  test('is read once for all items that are referred to, and they are bounded', () => {
    const kept = memoryResponses({ now: () => NOW_MS });
    let reads = 0;
    const store: ResponseStore = {
      ...kept,
      find(owner, id) {
        reads++;
        return kept.find(owner, id);
      },
    };
    const { ask } = dialect(store);
    const long = 'x'.repeat(1_000_000);
    const first = answered(ask({ model: 'm', input: [{ role: 'user', content: long }] }), 'Yes.').slice('resp_'.length);
    const short = { type: 'item_reference', id: `msg_${first}_0` };
    const { messages } = ask({ model: 'm', input: Array.from({ length: 1_000 }, () => short) }).request;
    assert.equal(messages.length, 1_000);
    assert.equal(reads, 1);
    // A published form of the same: an id alone.
    assert.equal(ask({ model: 'm', input: [{ id: short.id }] }).request.messages[0]!.content, 'Yes.');
    assert.throws(
      () => ask({ model: 'm', input: Array.from({ length: 21 }, () => ({ ...short, id: `msg_${first}_in0` })) }),
      (error: unknown) =>
        isGatewrightError(error) && error.code === 'GW_RESPONSE_CHAIN' && error.path === 'input[19].id',
    );
  });

  test('that goes in circles ends', () => {
    const store = memoryResponses({ now: () => NOW_MS });
    const turn = { owner: 'open', atMs: NOW_MS, response: '{}', input: '[]', output: '[]' };
    store.add({ ...turn, id: 'resp_a', previousId: 'resp_b' });
    store.add({ ...turn, id: 'resp_b', previousId: 'resp_a' });
    assert.throws(
      () => dialect(store).ask({ model: 'm', input: 'x', previous_response_id: 'resp_a' }),
      (error: unknown) => isGatewrightError(error) && error.code === 'GW_RESPONSE_CHAIN',
    );
  });
});

test('an answer that cannot be kept is answered all the same, and the fault is told', () => {
  const faults: unknown[] = [];
  const store: ResponseStore = {
    ...memoryResponses(),
    add() {
      throw new Error('disk full');
    },
  };
  const { read } = responses({
    store,
    isKept: () => true,
    newId: () => '0'.repeat(32),
    now: () => NOW_MS,
    onFault: (error) => void faults.push(error),
  });
  const reading = read({ model: 'm', input: 'Hi' }, { principal: ANYONE }) as DialectReading;
  const whole = reading.whole({ ...EMPTY, choices: [said('Yes.')] }, '', CONTEXT);
  void reading.keep!();
  assert.equal((JSON.parse(whole) as { status: string }).status, 'completed');
  assert.match(String(faults), /disk full/);
});

test('keys of the environment are owners of their own, virtual keys stay owners when they are rotated', () => {
  const key = (keyId: string, keyDigest: string): string => ownerOf({ ...ANYONE, keyId, keyDigest });
  assert.notEqual(key('static', 'aa'), key('static', 'bb'));
  assert.equal(key('key_1', 'aa'), key('key_1', 'bb'));
  assert.notEqual(key('key_1', 'aa'), key('key_2', 'aa'));
});

test('an error before the first event is an error event alone', () => {
  const stream = dialect().ask({ model: 'm', input: 'Hi', stream: true }).stream(CONTEXT);
  assert.equal(stream.begin(), '');
  const events = eventsOf(stream.fail(toHttpError(new Error('x'))));
  assert.deepEqual(
    events.map(({ type, sequence_number, code }) => [type, sequence_number, code]),
    [['error', 0, 'GW_INTERNAL']],
  );
});

const EMPTY = { id: 'c', object: 'chat.completion', created: 1, model: 'm' } as const;

function said(content: string): ChatCompletion['choices'][number] {
  return { index: 0, message: { role: 'assistant', content }, finish_reason: 'stop' };
}

// Texts that cannot be taken for a part of the JSON around them.
const text = fc.string({ unit: 'grapheme', maxLength: 20 }).map((said) => `«${said}»`);
const parts = fc.array(fc.record({ type: fc.constantFrom('input_text', 'output_text'), text }), { maxLength: 3 });
const item = fc.oneof(
  fc.record({ role: fc.constantFrom('user', 'assistant', 'system', 'developer'), content: fc.oneof(text, parts) }),
  fc.record({
    type: fc.constant('message'),
    role: fc.constant('assistant'),
    content: fc.array(fc.record({ type: fc.constant('refusal'), refusal: text }), { minLength: 1, maxLength: 2 }),
  }),
  fc.record({ type: fc.constant('function_call'), call_id: text, name: text, arguments: text }),
  fc.record({ type: fc.constant('custom_tool_call'), call_id: text, name: text, input: text }),
  fc.record({ type: fc.constant('function_call_output'), call_id: text, output: fc.oneof(text, parts) }),
  fc.record({
    type: fc.constant('reasoning'),
    summary: fc.array(fc.record({ type: fc.constant('summary_text'), text }), { maxLength: 2 }),
    content: fc.option(fc.array(fc.record({ type: fc.constant('reasoning_text'), text }), { maxLength: 2 })),
    encrypted_content: fc.option(text),
  }),
);

/** Every text of a value, however deep. */
function textsOf(value: unknown): string[] {
  if (typeof value === 'string') return value.match(/«[^»]*»/g) ?? [];
  if (typeof value !== 'object' || value === null) return [];
  return Object.values(value).flatMap(textsOf);
}

test('items in any order lose no text', () => {
  fc.assert(
    fc.property(fc.array(item, { minLength: 1, maxLength: 8 }), (input) => {
      const said = new Set(textsOf(messagesOf(input)));
      for (const expected of textsOf(input)) assert.ok(said.has(expected), expected);
    }),
    { numRuns: 500 },
  );
});

test('any JSON is answered by a reading or a typed error', () => {
  const anything = fc.jsonValue({ maxDepth: 4 });
  const nearly = fc.record(
    {
      model: fc.oneof(fc.constant('m'), anything),
      input: fc.oneof(anything, fc.array(fc.oneof(item, anything, nearItem(anything)), { maxLength: 4 })),
      instructions: fc.option(anything),
      tools: fc.oneof(anything, fc.array(nearItem(anything), { maxLength: 3 })),
      tool_choice: fc.oneof(anything, nearItem(anything)),
      text: fc.oneof(anything, fc.record({ format: fc.oneof(anything, nearItem(anything)) })),
      reasoning: anything,
      include: anything,
      stream_options: anything,
      previous_response_id: fc.option(anything),
      metadata: anything,
    },
    { requiredKeys: ['model'] },
  );
  fc.assert(
    fc.property(fc.oneof(anything, nearly), (body) => {
      try {
        const { request } = dialect().ask(body);
        assert.ok(request.messages.length > 0);
      } catch (error) {
        if (!isGatewrightError(error)) throw error;
        assert.equal(Math.floor(toHttpError(error).status / 100), 4, error.code);
      }
    }),
    { numRuns: 2_000 },
  );
});

/** An object with a type that is known and fields that may be anything. */
function nearItem(anything: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> {
  return fc.record(
    {
      type: fc.constantFrom(
        'message',
        'function_call',
        'function_call_output',
        'custom_tool_call',
        'reasoning',
        'item_reference',
        'input_text',
        'input_image',
        'input_file',
        'function',
        'custom',
        'allowed_tools',
        'json_schema',
        'web_search_call',
        'constructor',
      ),
      role: anything,
      content: fc.oneof(
        anything,
        fc.array(fc.record({ type: fc.constantFrom('input_text', 'input_image'), text: anything })),
      ),
      call_id: anything,
      output: anything,
      arguments: anything,
      name: anything,
      id: anything,
      summary: anything,
      encrypted_content: anything,
      tools: anything,
      format: anything,
    },
    { requiredKeys: ['type'] },
  );
}

const answer = fc.record({
  reasoning_content: fc.option(text, { nil: undefined }),
  content: fc.option(text),
  refusal: fc.option(text, { nil: undefined }),
  tool_calls: fc.option(
    fc.array(
      fc.record({
        id: fc.oneof(text, fc.constant(''), fc.constant('call_same')),
        type: fc.constant('function'),
        function: fc.record({ name: text, arguments: text }),
      }),
      { maxLength: 3 },
    ),
    { nil: undefined },
  ),
});

test('a stream cut anywhere ends in the Response of the whole answer', () => {
  fc.assert(
    fc.property(
      answer,
      fc.constantFrom('stop', 'length', 'content_filter', 'tool_calls'),
      fc.integer({ min: 1, max: 7 }),
      (message, finish, size) => {
        const body = { model: 'm', input: 'Hi' };
        const head = { id: 'c', created: 1, model: 'x' };
        const whole = dialect()
          .ask(body)
          .whole(
            {
              ...head,
              object: 'chat.completion',
              choices: [{ index: 0, message: { role: 'assistant', ...message }, finish_reason: finish }],
            },
            '',
            CONTEXT,
          );
        const stream = dialect()
          .ask({ ...body, stream: true })
          .stream(CONTEXT);
        const chunk = (delta: Fields, finish_reason: string | null = null): string => {
          const event: ChatChunk = {
            ...head,
            object: 'chat.completion.chunk',
            choices: [{ index: 0, delta, finish_reason }],
          };
          return stream.chunk(JSON.stringify(event), event);
        };
        let told = stream.begin() + chunk({ role: 'assistant', content: '' });
        for (const delta of deltasOf(message, size)) told += chunk(delta);
        told += chunk({}, finish) + stream.end();
        const events = eventsOf(told);
        assert.deepEqual(events.at(-1)!['response'], JSON.parse(whole));
        assert.deepEqual(
          events.map(({ sequence_number }) => sequence_number),
          events.map((_, index) => index),
        );
        // Each item ends exactly once, as it stands in the Response.
        const ended = events.filter(({ type }) => type === 'response.output_item.done').map((event) => event['item']);
        const { output } = events.at(-1)!['response'] as { output: { id: string }[] };
        assert.deepEqual(
          (ended as { id: string }[]).toSorted(
            (a, b) => output.findIndex(({ id }) => id === a.id) - output.findIndex(({ id }) => id === b.id),
          ),
          output,
        );
        // What was told in pieces is what was told at its end.
        const deltas = events.filter(({ type }) => String(type).endsWith('.delta')).map(({ delta }) => delta);
        assert.equal(
          deltas.join(''),
          [
            message.reasoning_content,
            message.content,
            message.refusal,
            ...(message.tool_calls ?? []).map((call) => call.function.arguments),
          ].join(''),
        );
      },
    ),
    { numRuns: 300 },
  );
});

describe('an answer of an expert', () => {
  const streamed = (deltas: readonly Fields[], more: object = {}): Record<string, unknown>[] => {
    const asked = dialect().ask({ model: 'm', input: 'Hi', stream: true, ...more });
    const stream = asked.stream(CONTEXT);
    let told = stream.begin();
    for (const delta of deltas) {
      const choices = [{ index: 0, delta, finish_reason: null }];
      told += stream.chunk('', { ...EMPTY, object: 'chat.completion.chunk', choices });
    }
    return eventsOf(told + stream.end());
  };
  const outputOf = (events: readonly Record<string, unknown>[]): Fields[] =>
    (events.at(-1)!['response'] as { output: Fields[] }).output;
  const piece = (index: number, id: string, name: string | undefined, text: string): Fields => ({
    tool_calls: [{ index, id, function: { ...(name === undefined ? {} : { name }), arguments: text } }],
  });

  test('tells calls of one index apart by their ids, where they have names', () => {
    const output = outputOf(
      streamed([piece(0, 'a', 'f', '{"x"'), piece(0, 'other', undefined, ':1}'), piece(0, 'b', 'g', '{}')]),
    );
    assert.deepEqual(
      output.map(({ call_id, name, arguments: text }) => [call_id, name, text]),
      [
        ['a', 'f', '{"x":1}'],
        ['b', 'g', '{}'],
      ],
    );
  });

  test('may have any number of calls and thoughts', () => {
    // Each was once looked for among all before it: this would take minutes.
    const pieces = 100_000;
    const calls = streamed(Array.from({ length: pieces }, (_, n) => piece(n, `c${n}`, 'f', '{}')));
    assert.equal(outputOf(calls).length, pieces);
    const thoughts = Array.from({ length: pieces }, (_, index) => ({
      reasoning_details: [{ type: 'reasoning.encrypted', data: 'x', index }],
    }));
    assert.equal(outputOf(streamed(thoughts)).length, 1);
  });

  test('loses what is nested deeper than can be written again, and nothing else', () => {
    const deep = JSON.parse('['.repeat(20_000) + ']'.repeat(20_000)) as unknown;
    const message = {
      role: 'assistant',
      content: 'Hi.',
      reasoning_details: [{ type: 'reasoning.encrypted', data: deep }],
      annotations: [deep, { type: '__proto__', url: 'x' }],
    };
    const logprobs = { content: [{ token: 'Hi.', logprob: -1, bytes: deep, top_logprobs: [] }] };
    const asked = { model: 'm', input: 'Hi', include: ['reasoning.encrypted_content', 'message.output_text.logprobs'] };
    const choices = [{ index: 0, message, finish_reason: 'stop', logprobs }] as unknown as ChatCompletion['choices'];
    const { output } = JSON.parse(
      dialect()
        .ask(asked)
        .whole({ ...EMPTY, choices }, '', CONTEXT),
    ) as {
      output: { content: Fields[] }[];
    };
    assert.deepEqual(
      output.map(({ content }) => content),
      [
        [
          {
            type: 'output_text',
            text: 'Hi.',
            annotations: [{ type: '__proto__', url: 'x' }],
            logprobs: [{ token: 'Hi.', logprob: -1, bytes: [], top_logprobs: [] }],
          },
        ],
      ],
    );
    assert.equal(outputOf(streamed([message], asked)).length, 1);
  });
});

test('an expert that sends anything in its deltas breaks nothing', () => {
  const anything = fc.jsonValue({ maxDepth: 3 });
  const some = <T>(values: fc.Arbitrary<T>) =>
    fc.oneof(anything, fc.array(fc.oneof(anything, values), { maxLength: 3 }));
  const body = fc.record({ name: anything, arguments: fc.oneof(text, anything) }, { requiredKeys: [] });
  const delta = fc.record(
    {
      content: fc.oneof(text, anything),
      refusal: anything,
      reasoning_content: fc.oneof(text, anything),
      reasoning_details: some(
        fc.record({
          type: fc.constantFrom('reasoning.text', 'reasoning.summary', 'reasoning.encrypted'),
          text: fc.oneof(text, anything),
          summary: anything,
          index: anything,
        }),
      ),
      annotations: some(fc.record({ type: fc.constant('url_citation'), url_citation: anything })),
      tool_calls: some(
        fc.record({
          index: fc.oneof(fc.nat(2), anything),
          id: anything,
          function: body,
          custom: anything,
          type: anything,
        }),
      ),
    },
    { requiredKeys: [] },
  );
  const logprobs = fc.record({
    content: some(fc.record({ token: text, logprob: fc.double(), bytes: anything, top_logprobs: anything })),
  });
  fc.assert(
    fc.property(fc.array(fc.tuple(delta, logprobs), { maxLength: 6 }), (deltas) => {
      const stream = dialect()
        .ask({ model: 'm', input: 'Hi', stream: true, top_logprobs: 2, include: ['reasoning.encrypted_content'] })
        .stream(CONTEXT);
      let told = '';
      for (const [one, tokens] of deltas) {
        const choices = [
          { index: 0, delta: one, finish_reason: null, logprobs: tokens },
        ] as unknown as ChatChunk['choices'];
        told += stream.chunk('', { ...EMPTY, object: 'chat.completion.chunk', choices });
      }
      const events = eventsOf(told + stream.end());
      assert.equal(events.at(-1)!['type'], 'response.completed');
      const begun = events.filter(({ type }) => type === 'response.output_item.added').length;
      assert.equal(events.filter(({ type }) => type === 'response.output_item.done').length, begun);
      assert.equal((events.at(-1)!['response'] as { output: unknown[] }).output.length, begun);
    }),
    { numRuns: 1_000 },
  );
});

function deltasOf(message: Fields, size: number): Fields[] {
  const pieces = (said: unknown): string[] =>
    typeof said === 'string' ? (said.match(new RegExp(`[\\s\\S]{1,${size}}`, 'g')) ?? []) : [];
  return [
    ...pieces(message['reasoning_content']).map((piece) => ({ reasoning_content: piece })),
    ...pieces(message['content']).map((piece) => ({ content: piece })),
    ...pieces(message['refusal']).map((piece) => ({ refusal: piece })),
    ...((message['tool_calls'] ?? []) as { id: string; function: { name: string; arguments: string } }[]).flatMap(
      (call, index) => [
        {
          tool_calls: [{ index, id: call.id, type: 'function', function: { name: call.function.name, arguments: '' } }],
        },
        ...pieces(call.function.arguments).map((piece) => ({
          tool_calls: [{ index, function: { arguments: piece } }],
        })),
      ],
    ),
  ];
}

function eventsOf(told: string): Record<string, unknown>[] {
  return told
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => {
      const [, name, data] = /^event: (\S+)\ndata: ([^\n]+)$/.exec(block)!;
      const event = JSON.parse(data!) as Record<string, unknown>;
      assert.equal(event['type'], name);
      return event;
    });
}

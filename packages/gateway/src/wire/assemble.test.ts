import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { assemble, assembler, chunksOf } from './assemble.ts';
import type { ChatChunk, ChatCompletion } from './chat.ts';

const usage = {
  prompt_tokens: 3,
  completion_tokens: 5,
  total_tokens: 8,
  completion_tokens_details: { reasoning_tokens: 2 },
};

function chunk(delta: Record<string, unknown>, more: object = {}): ChatChunk {
  return {
    id: 'c1',
    object: 'chat.completion.chunk',
    created: 7,
    model: 'm',
    choices: [{ index: 0, delta, finish_reason: null, ...more }],
  };
}

/** A call of a tool as it comes in pieces, by the published form of `chat.completion.chunk`. */
const TOOL_STREAM: ChatChunk[] = [
  chunk({ role: 'assistant', content: null }),
  chunk({ tool_calls: [{ index: 0, id: 'call_1', type: 'function', function: { name: 'weather', arguments: '' } }] }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: '{"city":' } }] }),
  chunk({ tool_calls: [{ index: 1, id: 'call_2', type: 'function', function: { name: 'time', arguments: '{}' } }] }),
  chunk({ tool_calls: [{ index: 0, function: { arguments: '"Bonn"}' } }] }),
  chunk({}, { finish_reason: 'tool_calls' }),
  { ...chunk({}), choices: [], usage },
];

describe('assemble', () => {
  test('joins the pieces of tool calls that come interleaved', () => {
    assert.deepEqual(assemble(TOOL_STREAM), {
      id: 'c1',
      object: 'chat.completion',
      created: 7,
      model: 'm',
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: null,
            tool_calls: [
              { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"Bonn"}' } },
              { id: 'call_2', type: 'function', function: { name: 'time', arguments: '{}' } },
            ],
          },
          finish_reason: 'tool_calls',
        },
      ],
      usage,
    });
  });

  test('joins content, thoughts, their details and logprobs, per choice', () => {
    const token = (text: string) => ({ token: text, logprob: -0.1, bytes: null, top_logprobs: [] });
    const whole = assemble([
      chunk({ role: 'assistant', content: '' }),
      chunk({ reasoning_content: 'so ', reasoning_details: [{ index: 0, type: 'reasoning.text', text: 'so ' }] }),
      chunk({ reasoning_content: 'it is', reasoning_details: [{ index: 0, text: 'it is', signature: 'sig' }] }),
      chunk({ content: 'fo' }, { logprobs: { content: [token('fo')] } }),
      {
        ...chunk({ content: 'b' }),
        choices: [{ index: 1, delta: { role: 'assistant', content: 'b' }, finish_reason: 'length' }],
      },
      chunk({ content: 'ur' }, { logprobs: { content: [token('ur')] } }),
      chunk({}, { finish_reason: 'stop', native_finish_reason: 'end_turn' }),
    ])!;
    assert.deepEqual(whole.choices, [
      {
        index: 0,
        message: {
          role: 'assistant',
          content: 'four',
          reasoning_content: 'so it is',
          reasoning_details: [{ type: 'reasoning.text', text: 'so it is', signature: 'sig' }],
        },
        finish_reason: 'stop',
        logprobs: { content: [token('fo'), token('ur')] },
        native_finish_reason: 'end_turn',
      },
      { index: 1, message: { role: 'assistant', content: 'b' }, finish_reason: 'length' },
    ]);
    assert.equal(whole.usage, undefined);
  });

  test('has nothing before the first chunk, and says that a cut answer has no end', () => {
    assert.equal(assemble([]), undefined);
    assert.equal(assemble(TOOL_STREAM.slice(0, 3))!.choices[0]!.finish_reason, null);
  });

  test('leaves the chunks as they were', () => {
    const before = structuredClone(TOOL_STREAM);
    const answer = assembler();
    for (const piece of TOOL_STREAM) answer.add(piece);
    answer.completion();
    assert.deepEqual(TOOL_STREAM, before);
    assert.ok(answer.characters >= '{"city":"Bonn"}'.length);
  });

  test('does not let an expert reach what all objects share', () => {
    const hostile = ['{"__proto__":{"polluted":1}}', '{"tool_calls":[{"index":0,"__proto__":{"polluted":1}}]}'];
    for (const delta of hostile) assemble([chunk(JSON.parse(delta) as Record<string, unknown>)]);
    assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  });

  test('takes any number of pieces that have no index, and of lists', () => {
    // Each piece of such a stream once copied all before it: this would take a quarter of an hour.
    const pieces = 200_000;
    const answer = assembler();
    const piece = chunk({
      reasoning_details: [{ type: 'reasoning.encrypted', data: 'x' }],
      annotations: [{ type: 'url_citation' }],
    });
    for (let i = 0; i < pieces; i++) answer.add(piece);
    const { message } = answer.completion()!.choices[0]!;
    assert.equal((message['reasoning_details'] as unknown[]).length, pieces);
    assert.equal((message['annotations'] as unknown[]).length, pieces);
    assert.equal((piece.choices[0]!.delta['annotations'] as unknown[]).length, 1);
  });

  test('makes again what chunksOf took apart', () => {
    const text = fc.string({ unit: 'binary', maxLength: 700 });
    const toolCall = fc.record({
      id: fc.string(),
      type: fc.constant('function'),
      function: fc.record({ name: fc.string(), arguments: text }),
    });
    const logprob = fc.record({
      token: fc.string(),
      logprob: fc.double({ max: 0, noNaN: true, noDefaultInfinity: true }),
      bytes: fc.constant(null),
      top_logprobs: fc.constant([]),
    });
    const message = fc.record(
      {
        role: fc.constant('assistant'),
        content: fc.option(text),
        refusal: fc.option(fc.string()),
        reasoning_content: text,
        tool_calls: fc.array(toolCall, { minLength: 1, maxLength: 3 }),
        reasoning_details: fc.array(fc.record({ type: fc.constant('reasoning.text'), text, signature: fc.string() }), {
          minLength: 1,
          maxLength: 3,
        }),
        annotations: fc.array(fc.record({ type: fc.constant('url_citation') }), { maxLength: 2 }),
      },
      { requiredKeys: ['role', 'content'] },
    );
    const completion = fc.record(
      {
        id: fc.string(),
        object: fc.constant('chat.completion'),
        created: fc.nat(),
        model: fc.string(),
        system_fingerprint: fc.string(),
        choices: fc.array(
          fc.record(
            {
              message,
              finish_reason: fc.constantFrom('stop', 'length', 'tool_calls'),
              logprobs: fc.option(fc.record({ content: fc.array(logprob, { minLength: 1, maxLength: 3 }) })),
            },
            { requiredKeys: ['message', 'finish_reason'] },
          ),
          { minLength: 1, maxLength: 3 },
        ),
        usage: fc.constant(usage),
      },
      { requiredKeys: ['id', 'object', 'created', 'model', 'choices'] },
    );
    fc.assert(
      fc.property(completion, (drawn) => {
        const numbered = {
          ...drawn,
          choices: drawn.choices.map((choice, index) => ({ index, ...choice })),
        } as unknown as ChatCompletion;
        // As it would arrive: over JSON.
        const received = JSON.parse(JSON.stringify(numbered)) as ChatCompletion;
        const chunks = JSON.parse(JSON.stringify([...chunksOf(received)])) as ChatChunk[];
        assert.deepEqual(assemble(chunks), received);
      }),
      { numRuns: 300 },
    );
  });
});

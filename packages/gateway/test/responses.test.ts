/** The Responses API with the official client, over an expert that answers what each test says. */
import assert from 'node:assert/strict';
import { afterEach, describe, test } from 'node:test';
import OpenAI from 'openai';
import { zodTextFormat } from 'openai/helpers/zod';
import type { ResponseStreamEvent } from 'openai/resources/responses/responses';
import { z } from 'zod';
import { type AnsweringExpert, type AnyFields, answeringExpert, type Said, USAGE } from './answering-expert.ts';
import { expertAt, pool, post, startGateway, type TestGateway, until } from './helpers.ts';

let expert: AnsweringExpert | undefined;
let gateway: TestGateway | undefined;
afterEach(async () => {
  await gateway?.close();
  await expert?.close();
});

type Answer = Said | ((number: number, body: AnyFields) => Said);

async function start(answer: Answer, config: object = {}, env: Record<string, string> = {}): Promise<OpenAI> {
  expert = await answeringExpert(typeof answer === 'function' ? answer : () => answer);
  const capabilities = ['tools', 'json', 'vision', 'logprobs', 'samples'];
  gateway = await startGateway({ ...pool(expertAt('one', expert.url, { capabilities })), ...config }, { env });
  return clientOf('unused');
}

function clientOf(apiKey: string): OpenAI {
  return new OpenAI({ baseURL: `${gateway!.url}/v1`, apiKey, maxRetries: 0 });
}

const HELLO: Said = { message: { content: 'It is forty-two.' } };

const WEATHER = {
  type: 'function' as const,
  name: 'weather',
  description: 'The weather of a city.',
  parameters: { type: 'object', properties: { city: { type: 'string' } }, required: ['city'] },
  strict: true,
};

const CALL = { id: 'call_a', type: 'function', function: { name: 'weather', arguments: '{"city":"Oslo"}' } };

describe('a whole answer', () => {
  test('has every field of a Response', async () => {
    const openai = await start(HELLO);
    const { data, response } = await openai.responses
      .create({
        model: 'one',
        instructions: 'Be brief.',
        input: 'What is the answer?',
        metadata: { team: 'a' },
        temperature: 0.5,
        top_p: 0.9,
        max_output_tokens: 100,
      })
      .withResponse();
    const { id, created_at, completed_at, output, output_text, ...rest } = data;
    assert.match(id, /^resp_[0-9a-f]{32}$/);
    assert.ok(created_at > 1_700_000_000 && completed_at! >= created_at);
    assert.equal(output_text, 'It is forty-two.');
    assert.deepEqual(output, [
      {
        id: `msg_${id.slice(5)}_0`,
        type: 'message',
        status: 'completed',
        role: 'assistant',
        content: [{ type: 'output_text', text: 'It is forty-two.', annotations: [], logprobs: [] }],
      },
    ]);
    assert.deepEqual(rest, {
      object: 'response',
      status: 'completed',
      access_programs: null,
      background: false,
      error: null,
      incomplete_details: null,
      instructions: 'Be brief.',
      max_output_tokens: 100,
      max_tool_calls: null,
      metadata: { team: 'a' },
      model: 'model-of-expert',
      parallel_tool_calls: true,
      previous_response_id: null,
      prompt_cache_key: null,
      prompt_cache_retention: null,
      reasoning: { effort: null, summary: null },
      safety_identifier: null,
      service_tier: 'default',
      store: true,
      temperature: 0.5,
      text: { format: { type: 'text' }, verbosity: 'medium' },
      tool_choice: 'auto',
      tools: [],
      top_logprobs: 0,
      top_p: 0.9,
      truncation: 'disabled',
      usage: {
        input_tokens: 20,
        input_tokens_details: { cache_write_tokens: 0, cached_tokens: 4 },
        output_tokens: 9,
        output_tokens_details: { reasoning_tokens: 3 },
        total_tokens: 29,
      },
    });
    assert.equal(response.headers.get('x-gw-expert'), 'one');
    assert.equal(response.headers.get('x-gw-not-carried'), null);
    const { messages, max_completion_tokens, temperature, top_p, ...others } = expert!.asked[0]!;
    assert.deepEqual(messages, [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'What is the answer?' },
    ]);
    assert.deepEqual([max_completion_tokens, temperature, top_p], [100, 0.5, 0.9]);
    assert.deepEqual(others, { model: 'one-model', stream: false });
  });

  test('parses with a zod schema', async () => {
    const openai = await start({ message: { content: '{"city":"Oslo","degrees":-3}' } });
    const schema = z.object({ city: z.string(), degrees: z.number() });
    const parsed = await openai.responses.parse({
      model: 'one',
      input: 'Weather of Oslo?',
      text: { format: zodTextFormat(schema, 'weather') },
    });
    assert.deepEqual(parsed.output_parsed, { city: 'Oslo', degrees: -3 });
    const format = expert!.asked[0]!['response_format'];
    assert.equal(format.type, 'json_schema');
    assert.equal(format.json_schema.name, 'weather');
    assert.equal(format.json_schema.strict, true);
    assert.deepEqual(format.json_schema.schema.required, ['city', 'degrees']);
  });

  test('carries a picture and a file', async () => {
    const openai = await start(HELLO);
    const picture = 'data:image/png;base64,iVBORw0KGgo=';
    await openai.responses.create({
      model: 'one',
      input: [
        {
          role: 'user',
          content: [
            { type: 'input_text', text: 'What is this?' },
            { type: 'input_image', image_url: picture, detail: 'low' },
            { type: 'input_file', filename: 'a.pdf', file_data: 'data:application/pdf;base64,AAAA' },
          ],
        },
      ],
    });
    assert.deepEqual(expert!.asked[0]!['messages'], [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'What is this?' },
          { type: 'image_url', image_url: { url: picture, detail: 'low' } },
          { type: 'file', file: { file_data: 'data:application/pdf;base64,AAAA', filename: 'a.pdf' } },
        ],
      },
    ]);
  });

  test('is a refusal where the expert refuses', async () => {
    const openai = await start({ message: { refusal: 'I will not.' } });
    const { output, status } = await openai.responses.create({ model: 'one', input: 'Do it.' });
    assert.equal(status, 'completed');
    assert.deepEqual((output[0] as { content: unknown }).content, [{ type: 'refusal', refusal: 'I will not.' }]);
  });

  for (const [finish, reason] of [
    ['length', 'max_output_tokens'],
    ['content_filter', 'content_filter'],
  ] as const) {
    test(`is incomplete where the expert ended by ${finish}`, async () => {
      const openai = await start({ ...HELLO, finish });
      const whole = await openai.responses.create({ model: 'one', input: 'Hi' });
      assert.equal(whole.status, 'incomplete');
      assert.deepEqual(whole.incomplete_details, { reason });
      assert.equal((whole.output[0] as { status: string }).status, 'incomplete');
    });
  }

  test('has the probabilities that were asked for', async () => {
    const likely = [{ token: 'It', logprob: -0.1, bytes: null }];
    const logprobs = [{ token: 'It', logprob: -0.1, bytes: [73, 116], top_logprobs: likely }];
    const openai = await start({ message: { content: 'It' }, logprobs });
    const { output } = await openai.responses.create({
      model: 'one',
      input: 'Hi',
      include: ['message.output_text.logprobs'],
      top_logprobs: 1,
    });
    assert.deepEqual((output[0] as { content: { logprobs: unknown }[] }).content[0]!.logprobs, [
      { token: 'It', bytes: [73, 116], logprob: -0.1, top_logprobs: [{ token: 'It', bytes: [], logprob: -0.1 }] },
    ]);
    assert.equal(expert!.asked[0]!['logprobs'], true);
    assert.equal(expert!.asked[0]!['top_logprobs'], 1);
  });
});

/** Answers that are asked for both ways: the stream must end in the Response that the whole answer is. */
const BOTH_WAYS: Readonly<Record<string, Said>> = {
  text: HELLO,
  nothing: { message: { content: '' } },
  refusal: { message: { refusal: 'I will not do that.' } },
  'thoughts and text': { message: { reasoning_content: 'Let me see.', content: 'Yes.' } },
  'a summary and sealed thoughts': {
    message: {
      reasoning_details: [
        { type: 'reasoning.summary', summary: 'Thought about it.' },
        { type: 'reasoning.encrypted', data: 'sealed' },
      ],
      content: 'Yes.',
    },
  },
  'text and two calls': {
    message: { content: 'Looking.', tool_calls: [CALL, { ...CALL, id: 'call_b' }] },
    finish: 'tool_calls',
  },
  'two calls with the same id': { message: { tool_calls: [CALL, CALL] }, finish: 'tool_calls' },
  'a custom call': {
    message: { tool_calls: [{ id: 'call_c', type: 'custom', custom: { name: 'run', input: 'print(1)' } }] },
    finish: 'tool_calls',
  },
  'a cut text': { ...HELLO, finish: 'length' },
  'a cut call': { message: { tool_calls: [CALL] }, finish: 'length' },
  citations: {
    message: {
      content: 'See there.',
      annotations: [
        { type: 'url_citation', url_citation: { url: 'http://a', title: 'A', start_index: 0, end_index: 3 } },
      ],
    },
  },
  'no usage': { ...HELLO, usage: null },
};

describe('a stream', () => {
  for (const [name, said] of Object.entries(BOTH_WAYS)) {
    test(`of ${name} ends in the Response of the whole answer`, async () => {
      const openai = await start(said);
      const asked = { model: 'one', input: 'Hi', include: ['reasoning.encrypted_content' as const] };
      const whole = await openai.responses.create(asked);
      const events: ResponseStreamEvent[] = [];
      const runner = openai.responses.stream(asked);
      runner.on('event', (event) => void events.push(event as ResponseStreamEvent));
      const streamed = await runner.finalResponse();
      assert.deepEqual(neutral(streamed), neutral(whole));
      assert.deepEqual(
        events.map(({ sequence_number }) => sequence_number),
        events.map((_, index) => index),
      );
      assert.deepEqual(
        events.slice(0, 2).map(({ type }) => type),
        ['response.created', 'response.in_progress'],
      );
    });
  }

  test('of text tells each step in its order', async () => {
    await start({ message: { content: 'Forty-two.' } });
    const response = await post(`${gateway!.url}/v1/responses`, { model: 'one', input: 'Hi', stream: true });
    assert.match(response.headers.get('content-type')!, /^text\/event-stream/);
    const events = eventsOf(await response.text());
    assert.deepEqual(
      events.map(({ name }) => name),
      [
        'response.created',
        'response.in_progress',
        'response.output_item.added',
        'response.content_part.added',
        'response.output_text.delta',
        'response.output_text.delta',
        'response.output_text.done',
        'response.content_part.done',
        'response.output_item.done',
        'response.completed',
      ],
    );
    for (const { name, data } of events) assert.equal(data['type'], name);
    const item = (events[2]!.data['item'] as { id: string }).id;
    assert.deepEqual(events[3]!.data, {
      type: 'response.content_part.added',
      sequence_number: 3,
      item_id: item,
      output_index: 0,
      content_index: 0,
      part: { type: 'output_text', text: '', annotations: [], logprobs: [] },
    });
    assert.deepEqual(events[4]!.data, {
      type: 'response.output_text.delta',
      sequence_number: 4,
      item_id: item,
      output_index: 0,
      content_index: 0,
      delta: 'Forty',
      logprobs: [],
    });
    assert.deepEqual(events[6]!.data, {
      type: 'response.output_text.done',
      sequence_number: 6,
      item_id: item,
      output_index: 0,
      content_index: 0,
      text: 'Forty-two.',
      logprobs: [],
    });
  });

  test('of thoughts and a call tells their steps', async () => {
    await start({ message: { reasoning_content: 'Hm.', tool_calls: [CALL] }, finish: 'tool_calls' });
    const response = await post(`${gateway!.url}/v1/responses`, { model: 'one', input: 'Hi', stream: true });
    const names = eventsOf(await response.text()).map(({ name }) => name.replace('response.', ''));
    assert.deepEqual(names, [
      'created',
      'in_progress',
      'output_item.added',
      'content_part.added',
      'reasoning_text.delta',
      'reasoning_text.done',
      'content_part.done',
      'output_item.done',
      'output_item.added',
      'function_call_arguments.delta',
      'function_call_arguments.delta',
      'function_call_arguments.delta',
      'function_call_arguments.done',
      'output_item.done',
      'completed',
    ]);
  });

  test('of a summary tells its steps', async () => {
    await start({
      message: {},
      deltas: [summary(0, 'One '), summary(0, 'idea.'), summary(1, 'Two.'), { content: 'Yes' }],
    });
    const response = await post(`${gateway!.url}/v1/responses`, { model: 'one', input: 'Hi', stream: true });
    const events = eventsOf(await response.text());
    assert.deepEqual(
      events.slice(2, 13).map(({ name }) => name.replace('response.', '')),
      [
        'output_item.added',
        'reasoning_summary_part.added',
        'reasoning_summary_text.delta',
        'reasoning_summary_text.delta',
        'reasoning_summary_text.done',
        'reasoning_summary_part.done',
        'reasoning_summary_part.added',
        'reasoning_summary_text.delta',
        'reasoning_summary_text.done',
        'reasoning_summary_part.done',
        'output_item.done',
      ],
    );
    assert.deepEqual((events[12]!.data['item'] as { summary: unknown }).summary, [
      { type: 'summary_text', text: 'One idea.' },
      { type: 'summary_text', text: 'Two.' },
    ]);
  });

  test('whose pieces come in an unusual order is taken by the client, and loses nothing', async () => {
    const piece = (index: number, more: object) => ({ tool_calls: [{ index, ...more }] });
    const openai = await start({
      message: {},
      deltas: [
        { content: 'a' },
        piece(0, { id: 'x', type: 'function', function: { name: 'f', arguments: '{' } }),
        piece(1, { id: 'y', type: 'function', function: { name: 'g' } }),
        piece(1, { function: { arguments: '{}' } }),
        piece(0, { function: { arguments: '}' } }),
        { content: 'b', refusal: 'c' },
        { reasoning_content: 'd' },
        { content: 'e' },
      ],
    });
    const { output, output_text } = await openai.responses.stream({ model: 'one', input: 'Hi' }).finalResponse();
    assert.equal(output_text, 'abe');
    assert.deepEqual(
      output.map(({ type }) => type),
      ['message', 'function_call', 'function_call', 'message', 'reasoning', 'message'],
    );
    assert.deepEqual(
      output.flatMap((item) => (item.type === 'function_call' ? [[item.call_id, item.name, item.arguments]] : [])),
      [
        ['x', 'f', '{}'],
        ['y', 'g', '{}'],
      ],
    );
  });

  test('that breaks ends in an error and response.failed, never in completed', async () => {
    const openai = await start({ ...HELLO, breaks: true });
    const response = await post(`${gateway!.url}/v1/responses`, { model: 'one', input: 'Hi', stream: true });
    const events = eventsOf(await response.text());
    assert.deepEqual(
      events.slice(-2).map(({ name }) => name),
      ['error', 'response.failed'],
    );
    assert.ok(!events.some(({ name }) => name === 'response.completed'));
    const error = events.at(-2)!.data;
    assert.equal(error['type'], 'error');
    assert.match(error['code'] as string, /^GW_UPSTREAM_/);
    assert.equal(error['param'], null);
    const failed = events.at(-1)!.data['response'] as AnyFields;
    assert.equal(failed['status'], 'failed');
    assert.equal(failed['error'].code, 'server_error');
    assert.equal(failed['output'][0].content[0].text, 'It is forty-two.');
    assert.equal(failed['output'][0].status, 'incomplete');
    await assert.rejects(openai.responses.retrieve(failed['id']), OpenAI.NotFoundError);
    await assert.rejects(
      openai.responses.stream({ model: 'one', input: 'Hi' }).finalResponse(),
      (raised: unknown) => raised instanceof OpenAI.APIError && /^GW_UPSTREAM_/.test(String(raised.code)),
    );
  });

  test('that its client leaves reaches the expert as an abort', async () => {
    const openai = await start({ ...HELLO, hangs: true });
    const stream = await openai.responses.create({ model: 'one', input: 'Hi', stream: true });
    for await (const event of stream) if (event.type === 'response.output_text.delta') break;
    await until(() => expert!.aborted === 1, 'the abort at the expert');
  });
});

function summary(index: number, text: string): object {
  return { reasoning_details: [{ type: 'reasoning.summary', summary: text, index }] };
}

describe('a conversation', () => {
  test('goes on from an earlier response, without its instructions', async () => {
    const openai = await start((number) => ({ message: { content: `answer ${number}` } }));
    const first = await openai.responses.create({ model: 'one', instructions: 'Be brief.', input: 'one' });
    const second = await openai.responses.create({ model: 'one', previous_response_id: first.id, input: 'two' });
    await openai.responses.create({
      model: 'one',
      previous_response_id: second.id,
      instructions: 'Be long.',
      input: [{ role: 'user', content: [{ type: 'input_text', text: 'three' }] }],
    });
    assert.equal(second.previous_response_id, first.id);
    assert.deepEqual(expert!.asked[2]!['messages'], [
      { role: 'system', content: 'Be long.' },
      { role: 'user', content: 'one' },
      { role: 'assistant', content: 'answer 0' },
      { role: 'user', content: 'two' },
      { role: 'assistant', content: 'answer 1' },
      { role: 'user', content: 'three' },
    ]);
  });

  test('calls a function and takes its result, also from a stream', async () => {
    const openai = await start((number) =>
      number === 0
        ? { message: { reasoning_content: 'Ask.', tool_calls: [CALL] }, finish: 'tool_calls' }
        : { message: { content: 'It is cold.' } },
    );
    const first = await openai.responses
      .stream({
        model: 'one',
        input: 'Weather?',
        tools: [WEATHER],
        tool_choice: 'required',
        parallel_tool_calls: false,
      })
      .finalResponse();
    const [thought, call] = first.output;
    assert.equal(thought!.type, 'reasoning');
    assert.ok(call!.type === 'function_call');
    assert.equal(call.call_id, 'call_a');
    assert.match(call.id!, /^fc_/);
    const second = await openai.responses.create({
      model: 'one',
      previous_response_id: first.id,
      tools: [WEATHER],
      input: [{ type: 'function_call_output', call_id: call.call_id, output: '-3 degrees' }],
    });
    assert.equal(second.output_text, 'It is cold.');
    assert.deepEqual(expert!.asked[0]!['tools'], [
      {
        type: 'function',
        function: {
          name: 'weather',
          description: WEATHER.description,
          parameters: WEATHER.parameters,
          strict: true,
        },
      },
    ]);
    assert.equal(expert!.asked[0]!['tool_choice'], 'required');
    assert.equal(expert!.asked[0]!['parallel_tool_calls'], false);
    assert.deepEqual(expert!.asked[1]!['messages'], [
      { role: 'user', content: 'Weather?' },
      { role: 'assistant', content: null, tool_calls: [CALL], reasoning_content: 'Ask.' },
      { role: 'tool', tool_call_id: 'call_a', content: '-3 degrees' },
    ]);
  });

  test('gives a model its sealed thoughts back, from the store and from the client', async () => {
    const details = [{ type: 'reasoning.text', text: 'Ask.', signature: 'sig' }];
    const message = { reasoning_content: 'Ask.', reasoning_details: details, tool_calls: [CALL] };
    const openai = await start((number) => (number % 2 === 0 ? { message, finish: 'tool_calls' } : HELLO));
    const output = { type: 'function_call_output' as const, call_id: 'call_a', output: '-3' };
    const first = await openai.responses.create({ model: 'one', input: 'Weather?', tools: [WEATHER] });
    assert.ok(!('encrypted_content' in first.output[0]!));
    await openai.responses.create({ model: 'one', previous_response_id: first.id, input: [output] });
    const own = await openai.responses.create({
      model: 'one',
      input: 'Weather?',
      tools: [WEATHER],
      store: false,
      include: ['reasoning.encrypted_content'],
    });
    await openai.responses.create({
      model: 'one',
      store: false,
      input: [{ role: 'user', content: 'Weather?' }, ...(own.output as never[]), output],
    });
    for (const number of [1, 3]) {
      const [, assistant] = expert!.asked[number]!['messages'];
      assert.deepEqual(assistant, { role: 'assistant', content: null, ...message });
    }
  });

  test('resolves references to items that are kept', async () => {
    const openai = await start(HELLO);
    const first = await openai.responses.create({ model: 'one', input: 'one' });
    await openai.responses.create({
      model: 'one',
      input: [
        { role: 'user', content: 'one' },
        { type: 'item_reference', id: first.output[0]!.id! },
        { role: 'user', content: 'two' },
      ],
    });
    assert.deepEqual(
      expert!.asked[1]!['messages'].map(({ content }: { content: string }) => content),
      ['one', 'It is forty-two.', 'two'],
    );
    await assert.rejects(
      openai.responses.create({ model: 'one', input: [{ type: 'item_reference', id: 'msg_nope' }] }),
      (error: unknown) => error instanceof OpenAI.NotFoundError && error.param === 'input[0].id',
    );
  });

  test('belongs to the key that asked', async () => {
    await start(HELLO, {}, { GATEWRIGHT_API_KEY: 'key-of-ada,key-of-bob' });
    const ada = clientOf('key-of-ada');
    const bob = clientOf('key-of-bob');
    const { id, output } = await ada.responses.create({ model: 'one', input: 'secret' });
    await ada.responses.retrieve(id);
    for (const attempt of [
      () => bob.responses.retrieve(id),
      () => bob.responses.delete(id),
      () => bob.responses.inputItems.list(id),
      () => bob.responses.create({ model: 'one', previous_response_id: id, input: 'go on' }),
      () => bob.responses.create({ model: 'one', input: [{ type: 'item_reference', id: output[0]!.id! }] }),
    ])
      await assert.rejects(
        async () => attempt(),
        (error: unknown) => error instanceof OpenAI.NotFoundError && error.code === 'GW_RESPONSE_UNKNOWN',
      );
    await ada.responses.retrieve(id);
  });
});

describe('a kept response', () => {
  test('is shown as it was sent, lists its input and is deleted', async () => {
    const openai = await start(HELLO);
    const { _request_id: _, ...sent } = await openai.responses.create({
      model: 'one',
      input: 'Hi',
      metadata: { a: 'b' },
    });
    const { _request_id: __, ...shown } = await openai.responses.retrieve(sent.id);
    assert.deepEqual(shown, sent);
    const listed = await openai.responses.inputItems.list(sent.id);
    assert.deepEqual(listed.data, [
      {
        type: 'message',
        role: 'user',
        content: [{ type: 'input_text', text: 'Hi' }],
        id: `msg_${sent.id.slice(5)}_in0`,
        status: 'completed',
      },
    ]);
    await openai.responses.delete(sent.id);
    await assert.rejects(openai.responses.retrieve(sent.id), OpenAI.NotFoundError);
    await assert.rejects(openai.responses.delete(sent.id), OpenAI.NotFoundError);
    await assert.rejects(
      openai.responses.create({ model: 'one', previous_response_id: sent.id, input: 'more' }),
      (error: unknown) =>
        error instanceof OpenAI.NotFoundError &&
        error.code === 'GW_RESPONSE_UNKNOWN' &&
        error.param === 'previous_response_id',
    );
  });

  test('lists its input page by page, both ways round', async () => {
    const openai = await start(HELLO);
    const texts = Array.from({ length: 7 }, (_, index) => `text ${index}`);
    const { id } = await openai.responses.create({
      model: 'one',
      input: texts.map((content) => ({ role: 'user' as const, content })),
    });
    for (const order of ['asc', 'desc'] as const) {
      const seen: string[] = [];
      for await (const item of openai.responses.inputItems.list(id, { limit: 3, order }))
        seen.push((item as { content: { text: string }[] }).content[0]!.text);
      assert.deepEqual(seen, order === 'asc' ? texts : texts.toReversed());
    }
    for (const query of ['limit=0', 'limit=101', 'order=up', 'after=msg_x'])
      assert.equal((await fetch(`${gateway!.url}/v1/responses/${id}/input_items?${query}`)).status, 400, query);
  });

  test('is not there where store was false', async () => {
    const openai = await start(HELLO);
    for (const stream of [false, true]) {
      const { id } = await (stream
        ? openai.responses.stream({ model: 'one', input: 'Hi', store: false }).finalResponse()
        : openai.responses.create({ model: 'one', input: 'Hi', store: false }));
      await assert.rejects(openai.responses.retrieve(id), OpenAI.NotFoundError);
    }
    assert.equal(gateway!.gateway.responses.stats().responses, 0);
  });

  test('is kept by nobody where the configuration says so', async () => {
    const openai = await start(HELLO, { storage: { responses: false } });
    const { data, response } = await openai.responses.create({ model: 'one', input: 'Hi', store: true }).withResponse();
    assert.equal((data as { store?: boolean }).store, false);
    assert.equal(response.headers.get('x-gw-not-carried'), 'store');
    assert.equal(gateway!.gateway.responses.stats().responses, 0);
    await assert.rejects(
      openai.responses.create({ model: 'one', previous_response_id: data.id, input: 'more' }),
      (error: unknown) => error instanceof OpenAI.BadRequestError && /storage\.responses is false/.test(error.message),
    );
  });

  test('cannot be cancelled: nothing runs in the background', async () => {
    const openai = await start(HELLO);
    const { id } = await openai.responses.create({ model: 'one', input: 'Hi' });
    await assert.rejects(
      openai.responses.cancel(id),
      (error: unknown) => error instanceof OpenAI.BadRequestError && error.code === 'GW_REQUEST_UNSUPPORTED',
    );
    await assert.rejects(openai.responses.cancel('resp_nope'), OpenAI.NotFoundError);
  });
});

test('input tokens are counted without asking anybody', async () => {
  const openai = await start(HELLO);
  const short = await openai.responses.inputTokens.count({ model: 'one', input: 'Hi' });
  const long = await openai.responses.inputTokens.count({
    input: 'Hi '.repeat(100),
    instructions: 'Be brief.',
    tools: [WEATHER],
  });
  assert.equal(short.object, 'response.input_tokens');
  assert.ok(short.input_tokens > 0 && long.input_tokens > short.input_tokens + 75);
  assert.equal(expert!.asked.length, 0);
});

describe('errors', () => {
  test('of the request are typed and name the place', async () => {
    const openai = await start(HELLO);
    const cases: [body: object, param: string, code?: string][] = [
      [{ input: 5 }, 'input'],
      [{ input: [] }, 'input'],
      [{ input: [{ role: 'user' }] }, 'input[0].content'],
      [{ input: [{ role: 'user', content: [{ type: 'input_text' }] }] }, 'input[0].content[0].text'],
      [{ input: [{ role: 'user', content: [{ type: 'input_smell' }] }] }, 'input[0].content[0].type'],
      [{ input: [{ type: 'nothing' }] }, 'input[0].type'],
      [{ input: [{ type: 'function_call', name: 'a', arguments: '{}' }] }, 'input[0].call_id'],
      [{ input: 'Hi', temperature: 'warm' }, 'temperature'],
      [{ input: 'Hi', max_output_tokens: 0 }, 'max_output_tokens'],
      [{ input: 'Hi', tools: [{ type: 'function' }] }, 'tools[0].name'],
      [{ input: 'Hi', background: true }, 'background', 'GW_REQUEST_UNSUPPORTED'],
      [{ input: 'Hi', conversation: 'conv_1' }, 'conversation', 'GW_REQUEST_UNSUPPORTED'],
      [{ input: 'Hi', prompt: { id: 'pmpt_1' } }, 'prompt', 'GW_REQUEST_UNSUPPORTED'],
      [{ input: 'Hi', tool_choice: { type: 'web_search_preview' } }, 'tool_choice', 'GW_REQUEST_UNSUPPORTED'],
      [
        { input: 'Hi', tools: [{ type: 'web_search' }], tool_choice: 'required' },
        'tool_choice',
        'GW_REQUEST_UNSUPPORTED',
      ],
      [
        { input: [{ role: 'user', content: [{ type: 'input_image', file_id: 'file_1', detail: 'auto' }] }] },
        'input[0].content[0].file_id',
        'GW_REQUEST_UNSUPPORTED',
      ],
    ];
    for (const [body, param, code = 'GW_REQUEST_TYPE'] of cases)
      await assert.rejects(
        openai.responses.create({ model: 'one', ...body } as never),
        (error: unknown) => {
          assert.ok(error instanceof OpenAI.BadRequestError, JSON.stringify(body));
          assert.deepEqual([error.code, error.param], [code, param], JSON.stringify(body));
          return true;
        },
        JSON.stringify(body),
      );
    await assert.rejects(openai.responses.create({ model: 'nobody', input: 'Hi' }), OpenAI.NotFoundError);
    assert.equal(expert!.asked.length, 0);
  });

  test('of the expert before content are JSON with their status, also for a stream', async () => {
    const openai = await start(HELLO);
    await expert!.close();
    for (const stream of [false, true])
      await assert.rejects(
        openai.responses.create({ model: 'one', input: 'Hi', stream }),
        (error: unknown) => error instanceof OpenAI.InternalServerError && error.code === 'GW_UPSTREAM_CONNECT',
      );
  });

  test('a body that is nested too deeply is refused before anybody is asked', async () => {
    await start(HELLO);
    const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;
    const answer = await post(
      `${gateway!.url}/v1/responses`,
      `{"model":"one","input":"Hi","tools":[{"type":"function","name":"f","parameters":${deep}}]}`,
    );
    assert.equal(answer.status, 400);
    assert.equal(((await answer.json()) as { error: { code: string } }).error.code, 'GW_REQUEST_DEPTH');
    assert.equal(expert!.asked.length, 0);
  });
});

test('what cannot be carried is named in a header, and the rest is answered', async () => {
  const openai = await start(HELLO);
  const { response } = await openai.responses
    .create({
      model: 'one',
      input: [
        { role: 'user', content: 'Hi' },
        { type: 'web_search_call', id: 'ws_1', status: 'completed', action: { type: 'search', query: 'x' } } as never,
      ],
      tools: [{ type: 'web_search' }, WEATHER],
      reasoning: { effort: 'low', summary: 'auto' },
      truncation: 'auto',
      max_tool_calls: 3,
      include: ['web_search_call.results'],
      moderation: { model: 'm' },
    })
    .withResponse();
  assert.deepEqual(response.headers.get('x-gw-not-carried')!.split(', ').sort(), [
    'include[0]',
    'input[1]',
    'max_tool_calls',
    'moderation',
    'reasoning.summary',
    'tools[0]',
    'truncation',
  ]);
  assert.equal(expert!.asked[0]!['tools'].length, 1);
  assert.equal(expert!.asked[0]!['reasoning_effort'], 'low');
});

test('usage of the expert comes through unchanged in its sum', async () => {
  const openai = await start(HELLO);
  const streamed = await openai.responses.stream({ model: 'one', input: 'Hi' }).finalResponse();
  assert.equal(streamed.usage!.total_tokens, USAGE.total_tokens);
});

/** Without what differs between two answers of the same: ids and times. */
function neutral(response: object): unknown {
  const { id } = response as { id: string };
  const text = JSON.stringify(response, (name, value) =>
    ['created_at', 'completed_at', 'parsed', 'parsed_arguments', '_request_id', 'output_parsed'].includes(name)
      ? undefined
      : value,
  );
  return JSON.parse(text.replaceAll(id.slice(5), 'ID'));
}

function eventsOf(text: string): { name: string; data: Record<string, unknown> }[] {
  return text
    .split('\n\n')
    .filter((block) => block !== '')
    .map((block) => {
      const [, name, data] = /^event: (.+)\ndata: ([^\n]+)$/.exec(block)!;
      return { name: name!, data: JSON.parse(data!) as Record<string, unknown> };
    });
}

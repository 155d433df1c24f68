/**
 * Field for field: what the gateway sends of the Responses API has the fields that the official client's types name, the
 * required ones all, and no others but those listed here.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterEach, test } from 'node:test';
import { type AnsweringExpert, type AnyFields, answeringExpert, type Said } from './answering-expert.ts';
import { expertAt, pool, post, startGateway, type TestGateway } from './helpers.ts';

/** Names of the fields of an interface, and whether one must be there. */
type Published = ReadonlyMap<string, boolean>;

const TYPES = createRequire(import.meta.url)
  .resolve('openai/resources/responses/responses')
  .replace(/\.js$/, '.d.ts');
const INTERFACES = interfacesOf(readFileSync(TYPES, 'utf8'));

/** Beyond the published fields. */
const OURS: Readonly<Record<string, readonly string[]>> = {
  // OpenAI's own server sends it; the types do not name it.
  Response: ['store'],
  // What every error of the gateway has.
  ResponseErrorEvent: ['gateway'],
  // Listed as an item it has one.
  ResponseCustomToolCall: ['status'],
};
/** Required by the types; made by the client from the output. */
const MADE_BY_THE_CLIENT: Readonly<Record<string, readonly string[]>> = { Response: ['output_text'] };

let expert: AnsweringExpert | undefined;
let gateway: TestGateway | undefined;
afterEach(async () => {
  await gateway?.close();
  await expert?.close();
});

const TOKEN = { token: 'a', logprob: -1, bytes: [97], top_logprobs: [{ token: 'a', logprob: -1, bytes: [97] }] };

const EVERYTHING: Said = {
  message: {
    reasoning_content: 'Let me think.',
    reasoning_details: [
      { type: 'reasoning.summary', summary: 'Thought.' },
      { type: 'reasoning.encrypted', data: 'sealed' },
    ],
    content: 'Word.',
    refusal: 'But no.',
    tool_calls: [
      { id: 'call_a', type: 'function', function: { name: 'f', arguments: '{"a":1}' } },
      { id: 'call_b', type: 'custom', custom: { name: 'c', input: 'x' } },
    ],
  },
  logprobs: [TOKEN],
  deltas: [
    { reasoning_content: 'Let me think.' },
    { reasoning_details: [{ type: 'reasoning.summary', summary: 'Thought.', index: 0 }] },
    { reasoning_details: [{ type: 'reasoning.encrypted', data: 'sealed', index: 1 }] },
    { content: 'Word.' },
    { annotations: [{ type: 'url_citation', url_citation: { url: 'u', title: 't', start_index: 0, end_index: 1 } }] },
    { refusal: 'But no.' },
    { tool_calls: [{ index: 0, id: 'call_a', type: 'function', function: { name: 'f', arguments: '{"a":1}' } }] },
    { tool_calls: [{ index: 1, id: 'call_b', type: 'custom', custom: { name: 'c', input: 'x' } }] },
  ],
};

const ASKED = {
  model: 'one',
  input: 'Hi',
  include: ['reasoning.encrypted_content', 'message.output_text.logprobs'],
  top_logprobs: 1,
  user: 'u',
  tools: [
    { type: 'function', name: 'f' },
    { type: 'custom', name: 'c' },
  ],
};

async function ask(said: Said, body: object): Promise<Response> {
  expert = await answeringExpert(() => said);
  gateway = await startGateway(pool(expertAt('one', expert.url, { capabilities: ['tools', 'logprobs'] })));
  return post(`${gateway.url}/v1/responses`, body);
}

test('a Response and its items have the published fields', async () => {
  const response = (await (await ask(EVERYTHING, ASKED)).json()) as AnyFields;
  checkResponse(response);
  assert.deepEqual(
    response['output'].map(({ type }: AnyFields) => type),
    ['reasoning', 'message', 'function_call', 'custom_tool_call'],
  );
});

test('every event has the published fields', async () => {
  const seen = new Set<string>();
  for (const said of [EVERYTHING, { ...EVERYTHING, finish: 'length' }, { ...EVERYTHING, breaks: true }]) {
    const text = await (await ask(said, { ...ASKED, stream: true })).text();
    for (const event of eventsOf(text)) {
      seen.add(event['type']);
      const name = [...INTERFACES].find(
        ([, { type, fields }]) => type === event['type'] && fields.has('sequence_number'),
      )?.[0];
      assert.ok(name !== undefined, `${event['type']} is published`);
      check(name, event);
      if (event['response'] !== undefined) checkResponse(event['response']);
      if (event['type'] === 'response.output_item.done') checkItem(event['item']);
    }
    await gateway!.close();
    await expert!.close();
  }
  assert.deepEqual([...seen].sort(), [
    'error',
    'response.completed',
    'response.content_part.added',
    'response.content_part.done',
    'response.created',
    'response.custom_tool_call_input.delta',
    'response.custom_tool_call_input.done',
    'response.failed',
    'response.function_call_arguments.delta',
    'response.function_call_arguments.done',
    'response.in_progress',
    'response.incomplete',
    'response.output_item.added',
    'response.output_item.done',
    'response.output_text.annotation.added',
    'response.output_text.delta',
    'response.output_text.done',
    'response.reasoning_summary_part.added',
    'response.reasoning_summary_part.done',
    'response.reasoning_summary_text.delta',
    'response.reasoning_summary_text.done',
    'response.reasoning_text.delta',
    'response.reasoning_text.done',
    'response.refusal.delta',
    'response.refusal.done',
  ]);
});

function checkResponse(response: AnyFields): void {
  check('Response', response);
  if (response['usage'] !== null) check('ResponseUsage', response['usage']);
  if (response['error'] !== null) check('ResponseError', response['error']);
  for (const tool of response['tools']) check(tool.type === 'custom' ? 'CustomTool' : 'FunctionTool', tool);
  for (const item of response['output']) checkItem(item);
}

function checkItem(item: AnyFields): void {
  const names: Readonly<Record<string, string>> = {
    message: 'ResponseOutputMessage',
    reasoning: 'ResponseReasoningItem',
    function_call: 'ResponseFunctionToolCall',
    custom_tool_call: 'ResponseCustomToolCall',
  };
  check(names[item['type']]!, item);
  if (item['type'] !== 'message') return;
  for (const part of item['content'])
    check(part.type === 'refusal' ? 'ResponseOutputRefusal' : 'ResponseOutputText', part);
}

function check(name: string, value: AnyFields): void {
  const { fields } = INTERFACES.get(name)!;
  for (const [field, isRequired] of fields)
    if (isRequired && !(MADE_BY_THE_CLIENT[name] ?? []).includes(field))
      assert.ok(field in value, `${name}.${field} is missing in ${JSON.stringify(value)}`);
  for (const field in value)
    assert.ok(fields.has(field) || (OURS[name] ?? []).includes(field), `${name}.${field} is not published`);
}

/** The interfaces of a declaration file by name, with the text of their `type` where that is one. */
function interfacesOf(source: string): Map<string, { readonly type: string | undefined; readonly fields: Published }> {
  const plain = source.replace(/\/\*\*[\s\S]*?\*\//g, '');
  return new Map(
    [...plain.matchAll(/^export interface (\w+)[^{]*\{([\s\S]*?)^\}/gm)].map(([, name, body]) => [
      name!,
      {
        type: /^ {4}type: '([^']+)';/m.exec(body!)?.[1],
        fields: new Map([...body!.matchAll(/^ {4}(\w+)(\?)?: /gm)].map(([, field, mark]) => [field!, mark !== '?'])),
      },
    ]),
  );
}

function eventsOf(text: string): AnyFields[] {
  return [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => JSON.parse(data!) as AnyFields);
}

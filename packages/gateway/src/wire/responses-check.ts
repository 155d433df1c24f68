/** How a request of the Responses API must be shaped, as far as the gateway relies on it. */
import { GatewrightError } from '@gatewright/kernel';
import Type from 'typebox';
import { Compile, type Validator } from 'typebox/compile';

/** A JSON object whose fields nobody has looked at. */
export type Fields = Readonly<Record<string, unknown>>;

/** A request after `checkResponsesRequest`. Fields that are not named here are the translation's business. */
export interface ResponsesRequest extends Fields {
  readonly model: string;
  readonly input?: string | readonly Fields[] | null;
  readonly instructions?: string | null;
  readonly previous_response_id?: string | null;
  readonly stream?: boolean | null;
  readonly store?: boolean | null;
  readonly background?: boolean | null;
  readonly include?: readonly string[] | null;
  readonly tools?: readonly Fields[] | null;
  readonly tool_choice?: string | Fields | null;
  readonly parallel_tool_calls?: boolean | null;
  readonly max_output_tokens?: number | null;
  readonly temperature?: number | null;
  readonly top_p?: number | null;
  readonly top_logprobs?: number | null;
  readonly reasoning?: Fields | null;
  readonly text?: { readonly format?: Fields | null; readonly verbosity?: string | null } | null;
  readonly metadata?: Readonly<Record<string, string>> | null;
  readonly user?: string | null;
}

const Nullable = <T extends Type.TSchema>(schema: T) => Type.Optional(Type.Union([schema, Type.Null()]));

const request = Compile(
  Type.Object({
    model: Type.String({ minLength: 1, maxLength: 200 }),
    input: Nullable(Type.Union([Type.String(), Type.Array(Type.Object({}))])),
    instructions: Nullable(Type.String()),
    previous_response_id: Nullable(Type.String({ minLength: 1, maxLength: 200 })),
    stream: Nullable(Type.Boolean()),
    stream_options: Nullable(Type.Object({})),
    store: Nullable(Type.Boolean()),
    background: Nullable(Type.Boolean()),
    include: Nullable(Type.Array(Type.String())),
    tools: Nullable(Type.Array(Type.Object({ type: Type.String() }))),
    tool_choice: Nullable(Type.Union([Type.String(), Type.Object({ type: Type.String() })])),
    parallel_tool_calls: Nullable(Type.Boolean()),
    max_output_tokens: Nullable(Type.Integer({ minimum: 1 })),
    temperature: Nullable(Type.Number()),
    top_p: Nullable(Type.Number()),
    top_logprobs: Nullable(Type.Integer({ minimum: 0, maximum: 20 })),
    reasoning: Nullable(Type.Object({ effort: Nullable(Type.String()) })),
    text: Nullable(
      Type.Object({
        format: Nullable(Type.Object({ type: Type.String() })),
        verbosity: Nullable(Type.String()),
      }),
    ),
    metadata: Nullable(Type.Record(Type.String(), Type.String())),
    user: Nullable(Type.String()),
  }),
);

const Content = Type.Union([Type.String(), Type.Array(Type.Object({ type: Type.String() }))]);
const Output = Type.Object({ call_id: Type.String({ minLength: 1 }), output: Content });

const items: Readonly<Record<string, Validator>> = {
  message: Compile(
    Type.Object({
      role: Type.Union(['system', 'developer', 'user', 'assistant'].map((role) => Type.Literal(role))),
      content: Content,
    }),
  ),
  function_call: Compile(
    Type.Object({ call_id: Type.String({ minLength: 1 }), name: Type.String(), arguments: Type.String() }),
  ),
  function_call_output: Compile(Output),
  custom_tool_call: Compile(
    Type.Object({ call_id: Type.String({ minLength: 1 }), name: Type.String(), input: Type.String() }),
  ),
  custom_tool_call_output: Compile(Output),
  reasoning: Compile(
    Type.Object({
      summary: Nullable(Type.Array(Type.Object({ text: Type.String() }))),
      content: Nullable(Type.Array(Type.Object({ text: Type.String() }))),
      encrypted_content: Nullable(Type.String()),
    }),
  ),
  item_reference: Compile(Type.Object({ id: Type.String({ minLength: 1, maxLength: 200 }) })),
};

const parts: Readonly<Record<string, Validator>> = {
  input_text: Compile(Type.Object({ text: Type.String() })),
  output_text: Compile(Type.Object({ text: Type.String() })),
  refusal: Compile(Type.Object({ refusal: Type.String() })),
  input_image: Compile(
    Type.Object({
      image_url: Nullable(Type.String()),
      file_id: Nullable(Type.String()),
      detail: Nullable(Type.String()),
    }),
  ),
  input_file: Compile(
    Type.Object({
      file_data: Nullable(Type.String()),
      file_id: Nullable(Type.String()),
      file_url: Nullable(Type.String()),
      filename: Nullable(Type.String()),
    }),
  ),
  input_audio: Compile(Type.Object({ input_audio: Type.Object({ data: Type.String(), format: Type.String() }) })),
};

/**
 * Checks the fields of a request, not yet its items.
 *
 * @throws {GatewrightError} `GW_REQUEST_TYPE`, naming the path and what belongs there
 */
export function checkResponsesRequest(body: unknown): ResponsesRequest {
  if (body === null || typeof body !== 'object' || Array.isArray(body))
    throw wrongType(
      '',
      `The body must be an object, it is ${Array.isArray(body) ? 'a list' : body === null ? 'null' : `a ${typeof body}`}.`,
      'Send {"model": ..., "input": ...}.',
    );
  check(request, body, '');
  return body as ResponsesRequest;
}

/**
 * Checks one item of `input`.
 *
 * @param type of the item; a message may leave it out
 * @returns false where the type is not one that can be translated
 * @throws {GatewrightError} `GW_REQUEST_TYPE`
 */
export function checkItem(type: string, item: Fields, path: string): boolean {
  if (!Object.hasOwn(items, type)) return false;
  check(items[type]!, item, path);
  return true;
}

/** The same for a part of a message's content or of a tool's output. */
export function checkPart(part: Fields, path: string): boolean {
  const type = part['type'] as string;
  if (!Object.hasOwn(parts, type)) return false;
  check(parts[type]!, part, path);
  return true;
}

/** What is well formed and still cannot be done here. */
export function unsupported(path: string, message: string, fix: string): GatewrightError {
  return new GatewrightError('GW_REQUEST_UNSUPPORTED', message, { path, fix });
}

/** A field of the wrong form. */
export function wrongType(path: string, message: string, fix: string): GatewrightError {
  return new GatewrightError('GW_REQUEST_TYPE', message, { path, fix });
}

function check(validator: Validator, value: unknown, base: string): void {
  if (validator.Check(value)) return;
  const [error] = validator.Errors(value);
  const place = joined(base, error?.instancePath ?? '');
  if (error?.keyword === 'required') {
    const [name] = (error.params as { requiredProperties: string[] }).requiredProperties;
    const missing = place === '' ? name! : `${place}.${name}`;
    throw wrongType(missing, `"${missing}" is missing.`, EXPECTED[name!] ?? 'Add it.');
  }
  // Names within metadata are the client's own.
  const field = place.startsWith('metadata') ? 'metadata' : (/([a-z_]+)(?:\[\d+\])?$/.exec(place)?.[1] ?? '');
  throw wrongType(
    place,
    `${place || 'The body'} ${error?.message ?? 'has the wrong form'}.`,
    EXPECTED[field] ?? 'Correct its type.',
  );
}

const EXPECTED: Readonly<Record<string, string>> = {
  model: 'Name a mode such as "gw/auto", or an expert; GET /v1/models lists them.',
  input: 'Give a text, or a list of items such as {"role": "user", "content": ...}.',
  instructions: 'Give a text.',
  previous_response_id: 'Give the id of an earlier response, "resp_...".',
  stream: 'Use true or false.',
  stream_options: 'Give an object, or leave it out.',
  store: 'Use true or false.',
  background: 'Use false, or leave it out.',
  include: 'Give a list of texts such as "message.output_text.logprobs".',
  tools: 'Give a list of objects, each with its "type".',
  tool_choice: 'Use "auto", "none", "required", or {"type": "function", "name": ...}.',
  parallel_tool_calls: 'Use true or false.',
  max_output_tokens: 'Use a whole number of at least 1.',
  temperature: 'Use a number.',
  top_p: 'Use a number.',
  top_logprobs: 'Use a whole number from 0 to 20.',
  reasoning: 'Use an object such as {"effort": "low"}.',
  text: 'Use an object such as {"format": {"type": "json_object"}}.',
  format: 'Use {"type": "text"}, {"type": "json_object"} or a JSON schema.',
  metadata: 'Use an object whose values are texts.',
  user: 'Use a text.',
  role: 'Use "system", "developer", "user" or "assistant".',
  content: 'Give a text, or a list of parts such as {"type": "input_text", "text": ...}.',
  output: 'Give a text, or a list of parts such as {"type": "input_text", "text": ...}.',
  call_id: 'Give the call_id of the call that it belongs to.',
  arguments: 'Give the arguments as JSON text.',
  summary: 'Give a list of {"type": "summary_text", "text": ...}.',
};

/** `input[2]` and `/content/0/text` -> `input[2].content[0].text` */
function joined(base: string, pointer: string): string {
  let path = base;
  for (const key of pointer.split('/').slice(1))
    path += /^\d+$/.test(key) ? `[${key}]` : `${path === '' ? '' : '.'}${key}`;
  return path;
}

/** The body of `POST /v1/embeddings`, OpenAI's format: reading a request, checking and writing a list of vectors. */
import { GatewrightError } from '@gatewright/kernel';
import { estimateTextTokens } from '../features/tokens.ts';

/** A request after validation. Unknown fields are carried through. */
export interface EmbeddingRequest {
  readonly model: string;
  /** A text, texts, a text as tokens, or texts as tokens. */
  readonly input: string | readonly string[] | readonly number[] | readonly (readonly number[])[];
  readonly encoding_format?: 'float' | 'base64' | null;
  readonly dimensions?: number | null;
  readonly user?: string | null;
  readonly [field: string]: unknown;
}

/** One vector: numbers, or 32-bit floats, little-endian, in base64. */
export interface EmbeddingItem {
  readonly object: 'embedding';
  /** Place of its input in the request. */
  readonly index: number;
  readonly embedding: readonly number[] | string;
}

/** The answer's body. */
export interface EmbeddingList {
  readonly object: 'list';
  readonly data: readonly EmbeddingItem[];
  readonly model: string;
  readonly usage?: { readonly prompt_tokens: number; readonly total_tokens: number } | null;
  readonly [field: string]: unknown;
}

/** Most inputs of one request, and most tokens of an input given as tokens, as with OpenAI. */
const MOST_INPUTS = 2_048;
/** More numbers than any model's vector has. */
const MOST_DIMENSIONS = 65_536;

/**
 * Checks that a parsed body asks for vectors.
 *
 * @throws {GatewrightError} `GW_REQUEST_TYPE`, naming the path and what belongs there
 */
export function checkEmbeddingRequest(body: unknown): EmbeddingRequest {
  if (body === null || typeof body !== 'object' || Array.isArray(body))
    throw wrong('', 'The body must be an object.', 'Send {"model": ..., "input": ...}.');
  const { model, input, encoding_format: format, dimensions, user } = body as Record<string, unknown>;
  if (typeof model !== 'string' || model === '' || model.length > 200)
    throw wrong(
      'model',
      '"model" is missing or no name.',
      'Name an expert of kind embedding; GET /v1/models lists them.',
    );
  checkInput(input);
  if (format != null && format !== 'float' && format !== 'base64')
    throw wrong('encoding_format', 'encoding_format is neither float nor base64.', 'Use "float" or "base64".');
  if (dimensions != null && !isWhole(dimensions, 1, MOST_DIMENSIONS))
    throw wrong('dimensions', 'dimensions is no whole number of at least 1.', 'Leave it out for the whole vector.');
  if (user != null && typeof user !== 'string') throw wrong('user', 'user is no text.', 'Use a text.');
  return body as EmbeddingRequest;
}

/** How many vectors a request asks for. */
export function inputCount({ input }: EmbeddingRequest): number {
  return typeof input === 'string' || typeof input[0] === 'number' ? 1 : input.length;
}

/** Tokens of the inputs: all together, and of the longest; of texts by estimate. */
export function inputTokens({ input }: EmbeddingRequest): { readonly total: number; readonly longest: number } {
  if (typeof input === 'string' || typeof input[0] === 'number') {
    const total = tokensOf(input as string | readonly number[]);
    return { total, longest: total };
  }
  let total = 0;
  let longest = 0;
  for (const one of input as readonly (string | readonly number[])[]) {
    const tokens = tokensOf(one);
    total += tokens;
    if (tokens > longest) longest = tokens;
  }
  return { total, longest };
}

/**
 * A provider's answer as the client asked for it: a vector for each input in the order of the inputs, all of one length,
 * in the wanted encoding.
 *
 * @param data its JSON text, which is passed on where nothing has to be changed
 * @returns the answer, or what is wrong with it
 */
export function embeddingList(
  data: string,
  request: EmbeddingRequest,
): { readonly data: string; readonly body: EmbeddingList } | string {
  let body: unknown;
  try {
    body = JSON.parse(data);
  } catch {
    return `the answer is not JSON (${Buffer.byteLength(data)} bytes)`;
  }
  const items = (body as { data?: unknown } | null)?.data;
  if (!Array.isArray(items)) return 'the answer has no list of vectors';
  const count = inputCount(request);
  if (items.length !== count) return `${count} vectors were asked for, ${items.length} came`;
  const format = request.encoding_format ?? 'float';
  const ordered: EmbeddingItem[] = new Array(count);
  let isChanged = false;
  let length: number | undefined;
  for (const [at, item] of items.entries()) {
    const { index = at, embedding } = (item ?? {}) as Partial<EmbeddingItem>;
    if (!isWhole(index, 0, count - 1) || ordered[index] !== undefined) return `two vectors have the place ${at}`;
    const numbers = lengthOf(embedding);
    if (numbers === undefined) return `the vector ${at} is no list of numbers`;
    length ??= numbers;
    if (numbers !== length) return `the vectors have different lengths (${length} and ${numbers})`;
    const isRight = (typeof embedding === 'string') === (format === 'base64');
    ordered[index] = isRight ? item : { object: 'embedding', index, embedding: encoded(embedding!, format) };
    if (!isRight || index !== at || item.index === undefined) isChanged = true;
  }
  const { dimensions } = request;
  if (dimensions != null && length !== dimensions)
    return `vectors of ${dimensions} numbers were asked for, they have ${length}`;
  const list = body as EmbeddingList;
  if (!isChanged && list.object === 'list') return { data, body: list };
  const whole: EmbeddingList = {
    ...list,
    object: 'list',
    data: ordered.map((item, index) => ({ ...item, object: 'embedding', index })),
  };
  return { data: JSON.stringify(whole), body: whole };
}

/** Numbers as 32-bit floats in base64. */
export function base64Of(numbers: readonly number[]): string {
  const bytes = Buffer.alloc(numbers.length * 4);
  for (const [at, number] of numbers.entries()) bytes.writeFloatLE(number, at * 4);
  return bytes.toString('base64');
}

function encoded(embedding: readonly number[] | string, format: 'float' | 'base64'): readonly number[] | string {
  if (format === 'base64') return base64Of(embedding as readonly number[]);
  const bytes = Buffer.from(embedding as string, 'base64');
  return Array.from({ length: bytes.length / 4 }, (_, at) => bytes.readFloatLE(at * 4));
}

/** How many numbers a vector has; undefined if it is none. */
function lengthOf(embedding: unknown): number | undefined {
  if (typeof embedding === 'string') {
    if (!/^[\w+/-]*={0,2}$/.test(embedding)) return undefined;
    const bytes = Buffer.byteLength(embedding, 'base64');
    return bytes > 0 && bytes % 4 === 0 ? bytes / 4 : undefined;
  }
  if (!Array.isArray(embedding) || embedding.length === 0) return undefined;
  return embedding.every(Number.isFinite) ? embedding.length : undefined;
}

function checkInput(input: unknown): void {
  const fix = 'Give a text, a list of texts, a list of tokens, or a list of such lists.';
  if (typeof input === 'string') {
    if (input === '') throw wrong('input', 'input is empty.', 'Leave out what has no text.');
    return;
  }
  if (!Array.isArray(input)) throw wrong('input', '"input" is missing or of the wrong type.', fix);
  if (input.length === 0) throw wrong('input', 'input is empty.', fix);
  if (input.length > MOST_INPUTS)
    throw wrong('input', `input has ${input.length} entries.`, `Send ${MOST_INPUTS} at most at a time.`);
  const [first] = input;
  if (typeof first === 'number') {
    const at = input.findIndex((token) => !isToken(token));
    if (at >= 0) throw wrong(`input[${at}]`, `input[${at}] is no token.`, fix);
    return;
  }
  for (const [at, one] of input.entries()) {
    const path = `input[${at}]`;
    if (typeof one !== typeof first) throw wrong(path, `${path} is of another type than the first.`, fix);
    if (typeof one === 'string') {
      if (one === '') throw wrong(path, `${path} is empty.`, 'Leave out what has no text.');
    } else if (!Array.isArray(one) || one.length === 0 || one.length > MOST_INPUTS * 64 || !one.every(isToken))
      throw wrong(path, `${path} is neither a text nor a list of tokens.`, fix);
  }
}

const isToken = (value: unknown): boolean => isWhole(value, 0, 0xffffffff);

function isWhole(value: unknown, least: number, most: number): value is number {
  return Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
}

function tokensOf(input: string | readonly number[]): number {
  return typeof input === 'string' ? estimateTextTokens(input) : input.length;
}

function wrong(path: string, message: string, fix: string): GatewrightError {
  return new GatewrightError('GW_REQUEST_TYPE', message, { fix, ...(path === '' ? {} : { path }) });
}

/** `/v1/responses`: the Responses API. Answers are kept for the key that asked. */
import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { estimatePromptTokens } from '../features/tokens.ts';
import { readBody } from '../http/body.ts';
import { send, sendJson } from '../http/send.ts';
import { redact } from '../redact.ts';
import type { KeptResponse, ResponseStore } from '../stores/responses.ts';
import { isFields } from '../wire/json.ts';
import { parseJsonBody } from '../wire/request.ts';
import { ownerOf, readConversation, responses as responsesDialect } from '../wire/responses.ts';
import { withOutput } from '../wire/responses-body.ts';
import { checkResponsesRequest, type Fields, unsupported, wrongType } from '../wire/responses-check.ts';
import { itemsOf, unknownResponse } from '../wire/responses-history.ts';
import { carriedTools } from '../wire/responses-tools.ts';
import { answer } from './answer.ts';
import { type EndpointContext, type Endpoints, type Exchange, scoped } from './endpoint.ts';

/** Responses. */
export const responses: Endpoints = (context) => {
  const { gateway, log } = context;
  const store = gateway.responses;
  const isKept = (): boolean => gateway.runtime.config.storage.responses;
  const dialect = responsesDialect({
    store,
    isKept,
    newId: () => randomUUID().replaceAll('-', ''),
    now: Date.now,
    onFault: (error) =>
      log('error', 'a response could not be kept', {
        error: redact(error instanceof Error ? error.message : String(error)),
      }),
  });
  return {
    '/v1/responses': scoped('responses', { POST: (exchange) => answer(context, dialect, exchange) }),
    '/v1/responses/input_tokens': scoped('responses', { POST: (exchange) => countTokens(context, isKept, exchange) }),
    '/v1/responses/:id': scoped('responses', {
      GET: (exchange) => show(store, exchange),
      DELETE: (exchange) => remove(store, exchange),
    }),
    '/v1/responses/:id/input_items': scoped('responses', { GET: (exchange) => listInput(store, exchange) }),
    '/v1/responses/:id/cancel': scoped('responses', { POST: (exchange) => cancel(store, exchange) }),
  };
};

function find(store: ResponseStore, { params, principal }: Exchange): KeptResponse {
  const id = params['id']!;
  const found = store.find(ownerOf(principal), id);
  if (found === undefined) throw unknownResponse(id);
  return found;
}

function show(store: ResponseStore, exchange: Exchange): void {
  const query = exchange.url.searchParams;
  if (query.get('stream') === 'true')
    throw unsupported('stream', 'The events of an earlier response are not kept.', 'Ask for it without stream.');
  const { response, output } = find(store, exchange);
  const showsEncrypted = includes(exchange.url).includes('reasoning.encrypted_content');
  const items = itemsOf(output).map((item) => (showsEncrypted ? item : withoutEncrypted(item)));
  send(exchange.response, 200, 'application/json', withOutput(response, JSON.stringify(items)));
}

/** Clients write lists as `include=a`, `include[]=a` or `include[0]=a`. */
function includes({ searchParams }: URL): string[] {
  return [...searchParams].flatMap(([name, value]) => (/^include(?:\[\d*\])?$/.test(name) ? [value] : []));
}

function withoutEncrypted({ encrypted_content: _, ...item }: Fields): Fields {
  return item;
}

function remove(store: ResponseStore, { params, principal, response }: Exchange): void {
  const id = params['id']!;
  if (!store.remove(ownerOf(principal), id)) throw unknownResponse(id);
  sendJson(response, 200, { id, object: 'response.deleted', deleted: true });
}

const MOST_LISTED = 100;

function listInput(store: ResponseStore, exchange: Exchange): void {
  const { searchParams } = exchange.url;
  const limit = Number(searchParams.get('limit') ?? 20);
  if (!Number.isInteger(limit) || limit < 1 || limit > MOST_LISTED)
    throw wrongType('limit', 'limit is not as it should be.', `Use a whole number from 1 to ${MOST_LISTED}.`);
  const order = searchParams.get('order') ?? 'desc';
  if (order !== 'asc' && order !== 'desc')
    throw wrongType('order', 'order is not as it should be.', 'Use "asc" or "desc".');
  const items = itemsOf(find(store, exchange).input);
  if (order === 'desc') items.reverse();
  const after = searchParams.get('after');
  const place = after === null ? -1 : items.findIndex(({ id }) => id === after);
  if (after !== null && place < 0)
    throw wrongType('after', `There is no item ${JSON.stringify(after.slice(0, 100))}.`, 'Use the last_id of a page.');
  const data = items.slice(place + 1, place + 1 + limit);
  sendJson(exchange.response, 200, {
    object: 'list',
    data,
    first_id: data[0]?.['id'] ?? null,
    last_id: data.at(-1)?.['id'] ?? null,
    has_more: place + 1 + limit < items.length,
  });
}

function cancel(store: ResponseStore, exchange: Exchange): never {
  find(store, exchange);
  throw unsupported(
    'background',
    'Only responses in the background can be cancelled, and nothing runs in the background here.',
    'End a response under way by closing its connection.',
  );
}

async function countTokens(
  { gateway }: EndpointContext,
  isKept: () => boolean,
  { request, response, principal }: Exchange,
): Promise<void> {
  const body = await bodyOf(request, gateway.runtime.config.server.maxBodyBytes);
  // The model does not matter to an estimate, and the published form leaves it out.
  const asked = checkResponsesRequest(isFields(body) && body['model'] == null ? { ...body, model: 'any' } : body);
  const lost: string[] = [];
  const { messages } = readConversation({ store: gateway.responses, isKept }, asked, ownerOf(principal), lost);
  const { tools } = carriedTools(asked.tools, null, lost);
  sendJson(response, 200, {
    object: 'response.input_tokens',
    input_tokens: estimatePromptTokens(messages, tools),
  });
}

async function bodyOf(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  return parseJsonBody(await readBody(request, maxBytes));
}

/** `POST /v1/messages` and `/v1/messages/count_tokens`: Anthropic's Messages. */
import type { IncomingMessage } from 'node:http';
import { hintsOf } from '../features/hints.ts';
import { readBody } from '../http/body.ts';
import { sendJson } from '../http/send.ts';
import { requireModels } from '../identity/allowed-models.ts';
import { ofPrincipal } from '../identity/principal.ts';
import { messages as messagesDialect, messagesError } from '../wire/messages.ts';
import { readMessagesRequest } from '../wire/messages-request.ts';
import { parseJsonBody } from '../wire/request.ts';
import { answer } from './answer.ts';
import { type EndpointContext, type Endpoints, type Exchange, scoped } from './endpoint.ts';
import { seedOf } from './seed.ts';

/** Messages. */
export const messages: Endpoints = (context) => ({
  '/v1/messages': scoped(
    'messages',
    { POST: (exchange) => answer(context, messagesDialect(betasOf(exchange.request)), exchange) },
    messagesError,
  ),
  '/v1/messages/count_tokens': scoped('messages', { POST: (exchange) => count(context, exchange) }, messagesError),
});

/** Counts at the expert that would answer, where it can count; else by the gateway's estimate. The header says which. */
async function count({ gateway, log }: EndpointContext, { request, response, principal }: Exchange): Promise<void> {
  const body = parseJsonBody(await readBody(request, gateway.runtime.config.server.maxBodyBytes));
  const asked = readMessagesRequest(body, betasOf(request), false);
  const said = ofPrincipal(principal, hintsOf(request.headers, asked.user, asked));
  requireModels(gateway.runtime, principal, asked.model, said.requires?.models);
  const decision = gateway.route(asked, seedOf(request), (await gateway.prepare(asked, said)) ?? said, principal);
  const { expert, provider } = decision.ranked[0]!;
  let tokens: number | undefined;
  try {
    tokens = await provider.countTokens?.(asked);
  } catch (error) {
    // Clients ask this to decide whether to shorten a conversation: an estimate serves them better than an error.
    log('warn', 'tokens were estimated, since the expert did not count them', {
      expert: expert.id,
      code: (error as { code?: unknown }).code,
    });
  }
  if (response.destroyed) return;
  response.setHeader('x-gw-mode', decision.mode.name);
  response.setHeader('x-gw-expert', expert.id);
  response.setHeader('x-gw-tokens-from', tokens === undefined ? 'estimate' : 'provider');
  sendJson(response, 200, { input_tokens: tokens ?? decision.promptTokens });
}

/** What the client switches on for servers of the format. */
function betasOf({ headers }: IncomingMessage): string[] {
  const header = headers['anthropic-beta'];
  const text = Array.isArray(header) ? header.join(',') : (header ?? '');
  return text === '' ? [] : text.split(',').map((name) => name.trim());
}

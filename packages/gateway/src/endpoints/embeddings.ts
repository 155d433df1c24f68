/** `POST /v1/embeddings`. */
import type { ServerResponse } from 'node:http';
import { type EmbeddingExchange, type EmbeddingResult, embed } from '../embeddings.ts';
import { hintsOf } from '../features/hints.ts';
import { readBody } from '../http/body.ts';
import { ofPrincipal } from '../identity/principal.ts';
import { withoutRouting } from '../requirements.ts';
import { traceIds } from '../trace-id.ts';
import { checkEmbeddingRequest } from '../wire/embeddings.ts';
import { parseJsonBody } from '../wire/request.ts';
import { type EndpointContext, type Endpoints, type Exchange, scoped } from './endpoint.ts';

/** Vectors. */
export const embeddings: Endpoints = (context) => {
  const nextId = traceIds();
  return {
    '/v1/embeddings': scoped('embeddings', { POST: (exchange) => answer(context, exchange, nextId(Date.now())) }),
  };
};

async function answer(
  { gateway }: EndpointContext,
  { request, response, principal }: Exchange,
  traceId: string,
): Promise<void> {
  const body = await readBody(request, gateway.runtime.config.server.maxBodyBytes);
  const asked = checkEmbeddingRequest(parseJsonBody(body));
  const { runtime, ledger } = gateway;
  const model = runtime.experts.some(({ expert }) => expert.id === asked.model)
    ? asked.model
    : (runtime.aliasOf(asked.model) ?? asked.model);
  const hints = ofPrincipal(principal, hintsOf(request.headers, asked.user, asked));
  if (response.destroyed) return;
  const account = ledger.begin({
    principal,
    user: hints.user,
    mode: 'embeddings',
    dialect: 'embeddings',
    traceId,
    maxCostUsd: hints.requires?.maxCostUsd,
  });
  let exchange: EmbeddingExchange | undefined;
  const gone = (): void => exchange?.cancel();
  try {
    exchange = embed(
      runtime,
      { ...withoutRouting(asked), model },
      {
        hints,
        principal,
        traceId,
        metrics: gateway.metrics,
        account,
        now: Date.now,
      },
    );
    response.on('close', gone);
    const result = await exchange.done;
    response.off('close', gone);
    const kept = ledger.kept();
    if (kept !== undefined) await kept;
    if (!response.destroyed) send(response, result, account.headers());
  } finally {
    response.off('close', gone);
    account.end();
  }
}

function send(
  response: ServerResponse,
  { data, expert, costUsd }: EmbeddingResult,
  limits: readonly (readonly [string, string])[],
): void {
  const payload = Buffer.from(data);
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': payload.length,
    ...Object.fromEntries(limits),
    'x-gw-expert': expert.expert.id,
    'x-gw-cost-usd': costUsd.toFixed(12).replace(/\.?0+$/, ''),
  });
  response.end(payload);
}

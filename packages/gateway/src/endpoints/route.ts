/** `POST /v1/route`: the decision for a request, and nobody is called. */
import { hintsOf } from '../features/hints.ts';
import { readBody } from '../http/body.ts';
import { sendJson } from '../http/send.ts';
import type { Decision } from '../pipeline.ts';
import { checkChatRequest, parseJsonBody } from '../wire/request.ts';
import { closed, type EndpointContext, type Endpoints, type Exchange } from './endpoint.ts';
import { seedOf } from './seed.ts';

/** Dry runs. */
export const route: Endpoints = (context) => ({
  '/v1/route': closed({ POST: (exchange) => decide(context, exchange) }),
});

async function decide({ gateway }: EndpointContext, { request, response }: Exchange): Promise<void> {
  const body = await readBody(request, gateway.runtime.config.server.maxBodyBytes);

  const chatRequest = checkChatRequest(parseJsonBody(body));
  const said = hintsOf(request.headers, chatRequest.user);
  const decision = gateway.route(chatRequest, seedOf(request), (await gateway.prepare(chatRequest, said)) ?? said);
  sendJson(response, 200, describeDecision(decision));
}

/** A decision as `/v1/route` shows it: every candidate with every term of its score, in the order they would be tried. */
export function describeDecision(decision: Decision): Record<string, unknown> {
  const { mode, selection, candidates } = decision;
  return {
    object: 'gateway.route',
    mode: mode.name,
    policy: mode.policySpec,
    composition: mode.compositionSpec,
    expert: candidates[selection.ranked[0]!]!.expert,
    reason: selection.reason,
    propensity: selection.propensity,
    seed: decision.seed,
    max_calls: mode.composition.maxCalls(selection.ranked.length),
    features: { prompt_tokens: decision.promptTokens, skill: decision.skill, needs: decision.needs },
    ...(decision.estimator === undefined ? {} : { estimator: decision.estimator }),
    ranked: selection.ranked.map((index) => {
      const { expert, quality, qualitySd, observations, costUsd, latencyMs, load, price } = candidates[index]!;
      const terms = selection.terms[index] ?? {};
      const score = Object.values(terms).reduce((sum, term) => sum + term, 0);
      return {
        expert,
        score,
        terms,
        quality,
        ...(qualitySd === undefined ? {} : { quality_sd: qualitySd, observations }),
        cost_usd: costUsd,
        latency_ms: latencyMs,
        load,
        price,
      };
    }),
    removed: decision.removed,
  };
}

/** `POST /v1/route`: the decision for a request, and nobody is called. */
import { hintsOf } from '../features/hints.ts';
import { readBody } from '../http/body.ts';
import { sendJson } from '../http/send.ts';
import { requireModels } from '../identity/allowed-models.ts';
import { ofPrincipal } from '../identity/principal.ts';
import { extraAttemptsOf, worstCaseOf } from '../money/worst-case.ts';
import type { Decision } from '../pipeline.ts';
import { checkChatRequest, parseJsonBody } from '../wire/request.ts';
import { type EndpointContext, type Endpoints, type Exchange, scoped } from './endpoint.ts';
import { seedOf } from './seed.ts';

/** Dry runs. */
export const route: Endpoints = (context) => ({
  '/v1/route': scoped('route', { POST: (exchange) => decide(context, exchange) }),
});

async function decide({ gateway }: EndpointContext, { request, response, principal }: Exchange): Promise<void> {
  const body = await readBody(request, gateway.runtime.config.server.maxBodyBytes);

  const chatRequest = checkChatRequest(parseJsonBody(body));
  const said = ofPrincipal(principal, hintsOf(request.headers, chatRequest.user, chatRequest));
  requireModels(gateway.runtime, principal, chatRequest.model, said.requires?.models);
  const decision = gateway.route(
    chatRequest,
    seedOf(request),
    (await gateway.prepare(chatRequest, said)) ?? said,
    principal,
  );
  const worst = worstCaseOf(
    decision.ranked.map(({ expert }) => expert),
    decision.mode.composition,
    extraAttemptsOf(decision.mode),
    { promptTokens: decision.promptTokens, body: chatRequest },
  );
  sendJson(response, 200, {
    ...describeDecision(decision),
    max_cost_usd: Math.min(worst.costUsd, decision.mode.maxCostUsd ?? Infinity),
  });
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

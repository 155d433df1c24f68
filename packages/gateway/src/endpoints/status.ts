/** How the gateway is: `/v1/status`, `/v1/live`, `/metrics`, `/healthz`, `/readyz`. */
import type { ServerResponse } from 'node:http';
import type { LiveExpert } from '../experts.ts';
import type { Gateway } from '../gateway.ts';
import { send, sendJson } from '../http/send.ts';
import { onlyAccountOf } from '../identity/own-traces.ts';
import { requireScope } from '../identity/principal.ts';
import { type EndpointContext, type Endpoints, type Exchange, open, scoped } from './endpoint.ts';

/** Status. */
export const status: Endpoints = ({ gateway, gate }) => ({
  '/v1/status': scoped('status', { GET: ({ response }) => sendJson(response, 200, statusOf(gateway)) }),
  '/v1/live': scoped('traces', { GET: (exchange) => watch(gateway, gate, exchange) }),
  '/metrics': scoped('status', {
    GET: async ({ response }) => send(response, 200, gateway.metrics.contentType, await gateway.metrics.text()),
  }),
  '/healthz': open({ GET: ({ response }) => sendJson(response, 200, { status: 'ok' }) }),
  '/readyz': open({ GET: ({ response }) => readiness(gateway, response) }),
});

/** The feed of what the key may see, for as long as it may. */
function watch(gateway: Gateway, gate: EndpointContext['gate'], { request, response, principal }: Exchange): void {
  const mayWatch = (): boolean => {
    try {
      const now = gate.check(request);
      requireScope(now, 'traces');
      return onlyAccountOf(now) === onlyAccountOf(principal);
    } catch {
      return false;
    }
  };
  gateway.live.watch(response, mayWatch, onlyAccountOf(principal));
}

function statusOf(gateway: Gateway): unknown {
  const { experts, prices, config } = gateway.runtime;
  const nowMs = Date.now();
  return {
    config: { hash: config.hash, fault: gateway.configFault ?? null },
    modes: Object.entries(config.modes).map(([name, mode]) => ({
      id: `gw/${name}`,
      summary: mode.summary ?? '',
      policy: mode.policy.use,
      composition: mode.composition.use,
    })),
    experts: experts.map((live, index) => ({
      id: live.expert.id,
      provider: live.expert.provider.use,
      kind: live.expert.kind ?? 'chat',
      price: live.expert.price,
      catalog: live.expert.catalog ?? null,
      quality: live.expert.quality,
      ...breakerOf(live, nowMs),
      inFlight: live.inFlight,
      ok: live.ok,
      failed: live.failed,
      cancelled: live.cancelled,
      costUsd: live.costUsd,
      latencyMs: live.latencyMs ?? null,
      shadowPrice: { load: prices.load[index], rate: prices.rate[index] },
      lastFailure: live.lastFailure ?? null,
    })),
    spendPrice: prices.spend[0],
    estimators: [...gateway.runtime.learning.byName.values()].map(({ name, spec, stateId, observations }) => ({
      name,
      use: spec.use,
      stateId,
      observations,
    })),
    groups: gateway.runtime.memory.groups().slice(0, 50),
    learningFault: gateway.runtime.learning.fault ?? gateway.runtime.memory.fault ?? null,
    feedbackFault: gateway.feedbackFault ?? null,
    store: gateway.store.stats(),
  };
}

/** `state`: `up`, `failing` (closed after failures), `open`, `half-open`; and why, until when, probes under way. */
function breakerOf({ breaker }: LiveExpert, nowMs: number): Record<string, unknown> {
  const { state, reason, untilMs, failuresInARow, probes } = breaker.status(nowMs);
  return {
    state: state === 'halfOpen' ? 'half-open' : state === 'open' ? 'open' : failuresInARow > 0 ? 'failing' : 'up',
    breaker: {
      state: state === 'halfOpen' ? 'half-open' : state,
      reason: reason ?? null,
      untilMs: untilMs || null,
      failuresInARow,
      probes,
    },
    openMs: Math.max(0, Math.ceil(untilMs - nowMs)),
  };
}

function readiness(gateway: Gateway, response: ServerResponse): void {
  const { failing } = gateway.store.stats();
  const nowMs = Date.now();
  const isAnyoneUp = gateway.runtime.experts.some(({ breaker }) => breaker.admits(nowMs));
  const isReady = isAnyoneUp && failing === undefined && !gateway.isDraining;
  sendJson(response, isReady ? 200 : 503, {
    status: isReady ? 'ready' : gateway.isDraining ? 'draining' : 'not ready',
    experts: isAnyoneUp ? 'up' : 'the breakers of all are open after failures',
    store: failing === undefined ? 'ok' : 'writing fails',
    config:
      gateway.configFault === undefined
        ? 'in force'
        : 'the newest version of the file was refused; the one before is in force',
  });
}

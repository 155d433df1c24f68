/** `/admin/v1/experts/ID/...`: taking an expert out, putting it back, and closing its breaker. */
import { UnknownNameError } from '@gatewright/kernel';
import { closed, type Exchange } from '../../endpoints/endpoint.ts';
import type { LiveExpert } from '../../experts.ts';
import { sendJson } from '../../http/send.ts';
import { type AdminContext, type AdminEndpoints, actsOf, readObject } from '../endpoint.ts';

/** Experts. What is under way is not touched; what was decided here lasts until the gateway ends. */
export const experts: AdminEndpoints = (context) => ({
  '/admin/v1/experts/:id/drain': act(context, 'expert.drain', (live) => {
    live.isDrained = true;
  }),
  '/admin/v1/experts/:id/restore': act(context, 'expert.restore', (live) => {
    live.isDrained = false;
  }),
  '/admin/v1/experts/:id/breaker/reset': act(context, 'expert.breaker.reset', ({ breaker }) => {
    // To a breaker an answer is an answer: it closes.
    const nowMs = Date.now();
    breaker.succeeded(breaker.force(nowMs), nowMs);
  }),
});

function act(context: AdminContext, action: string, work: (live: LiveExpert) => void) {
  return closed({
    POST: async (exchange: Exchange) => {
      await readObject(exchange);
      const live = expertNamed(context, exchange.params['id']!);
      const { id } = live.expert;
      actsOf(context, exchange).act({ action, target: id }, () => work(live));
      const { state } = live.breaker.status(Date.now());
      sendJson(exchange.response, 200, {
        object: 'gateway.expert',
        id,
        drained: live.isDrained,
        breaker: state === 'halfOpen' ? 'half-open' : state,
        inFlight: live.inFlight,
      });
    },
  });
}

function expertNamed({ gateway }: AdminContext, id: string): LiveExpert {
  const { experts: all } = gateway.runtime;
  const found = all.find(({ expert }) => expert.id === id || encodeURIComponent(expert.id) === id);
  if (found !== undefined) return found;
  throw new UnknownNameError(
    'expert',
    id,
    all.map(({ expert }) => expert.id),
    { code: 'GW_EXPERT_UNKNOWN' },
  );
}

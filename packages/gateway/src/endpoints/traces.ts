/** `/v1/traces`: what was decided, newest first, and one trace whole. A key sees its own. */
import { type DecisionTrace, GatewrightError } from '@gatewright/kernel';
import type { Gateway } from '../gateway.ts';
import { sendJson } from '../http/send.ts';
import { onlyAccountOf } from '../identity/own-traces.ts';
import { summaryOf } from '../request-trace.ts';
import { traceTimeMs } from '../trace-id.ts';
import { type Endpoints, type Exchange, scoped } from './endpoint.ts';

/** Traces. */
export const traces: Endpoints = ({ gateway }) => ({
  '/v1/traces': scoped('traces', { GET: (exchange) => listTraces(gateway, exchange) }),
  '/v1/traces/:id': scoped('traces', { GET: (exchange) => showTrace(gateway, exchange) }),
});

/** Traces of others that one request is looked past: a page may be short, and says that there is more. */
const MOST_READ = 2_000;

async function listTraces(gateway: Gateway, { response, url, principal }: Exchange): Promise<void> {
  const limit = Number(url.searchParams.get('limit') ?? 50);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new GatewrightError('GW_REQUEST_TYPE', `limit is ${JSON.stringify(url.searchParams.get('limit'))}.`, {
      path: 'limit',
      fix: 'Use a whole number from 1 to 1000.',
    });
  }
  const only = onlyAccountOf(principal);
  const found: DecisionTrace[] = [];
  let last = url.searchParams.get('before') ?? undefined;
  let hasMore = true;
  for (let read = 0; hasMore && found.length < limit && read < MOST_READ; ) {
    const size = only === undefined ? limit : 500;
    const page = await gateway.store.list({ limit: size, ...(last === undefined ? {} : { before: last }) });
    hasMore = page.length === size;
    for (const trace of page) {
      if (found.length === limit) {
        hasMore = true;
        break;
      }
      read++;
      last = trace.id;
      if (only === undefined || trace.account?.key === only) found.push(trace);
    }
  }
  sendJson(response, 200, {
    object: 'list',
    data: found.map((trace) => summaryOf(trace)),
    has_more: hasMore,
    // Where to go on: of a key's own page it may be a trace that is not shown.
    ...(last === undefined || (found.length === 0 && !hasMore) ? {} : { last_id: last }),
  });
}

async function showTrace(gateway: Gateway, { response, params, principal }: Exchange): Promise<void> {
  const id = params['id']!;
  const stored = traceTimeMs(id) === undefined ? undefined : await gateway.store.find(id);
  const only = onlyAccountOf(principal);
  // Of others not even that there is one.
  if (stored === undefined || (only !== undefined && stored.trace.account?.key !== only))
    throw new GatewrightError('GW_TRACE_UNKNOWN', `There is no trace ${JSON.stringify(id.slice(0, 60))}.`, {
      fix: 'GET /v1/traces lists the newest.',
    });
  sendJson(response, 200, {
    ...stored.trace,
    feedback: stored.feedback,
    ...(stored.bodies === undefined ? {} : { bodies: stored.bodies }),
  });
}

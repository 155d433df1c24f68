/** `/v1/traces`: what was decided, newest first, and one trace whole. */
import type { ServerResponse } from 'node:http';
import { GatewrightError } from '@gatewright/kernel';
import { type Gateway, summaryOf } from '../gateway.ts';
import { sendJson } from '../http/send.ts';
import { traceTimeMs } from '../trace-id.ts';
import { type Endpoints, scoped } from './endpoint.ts';

/** Traces. */
export const traces: Endpoints = ({ gateway }) => ({
  '/v1/traces': scoped('traces', { GET: ({ response, url }) => listTraces(gateway, response, url) }),
  '/v1/traces/:id': scoped('traces', { GET: ({ response, params }) => showTrace(gateway, params['id']!, response) }),
});

async function listTraces(gateway: Gateway, response: ServerResponse, url: URL): Promise<void> {
  const limit = Number(url.searchParams.get('limit') ?? 50);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
    throw new GatewrightError('GW_REQUEST_TYPE', `limit is ${JSON.stringify(url.searchParams.get('limit'))}.`, {
      path: 'limit',
      fix: 'Use a whole number from 1 to 1000.',
    });
  }
  const before = url.searchParams.get('before') ?? undefined;
  const traces = await gateway.store.list({ limit, ...(before === undefined ? {} : { before }) });
  sendJson(response, 200, {
    object: 'list',
    data: traces.map((trace) => summaryOf(trace)),
    has_more: traces.length === limit,
    ...(traces.length === 0 ? {} : { last_id: traces.at(-1)!.id }),
  });
}

async function showTrace(gateway: Gateway, id: string, response: ServerResponse): Promise<void> {
  const stored = traceTimeMs(id) === undefined ? undefined : await gateway.store.find(id);
  if (stored === undefined)
    throw new GatewrightError('GW_TRACE_UNKNOWN', `There is no trace ${JSON.stringify(id.slice(0, 60))}.`, {
      fix: 'GET /v1/traces lists the newest.',
    });
  sendJson(response, 200, {
    ...stored.trace,
    feedback: stored.feedback,
    ...(stored.bodies === undefined ? {} : { bodies: stored.bodies }),
  });
}

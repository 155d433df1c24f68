/** `GET /v1/usage`: what was spent, summed; `GET /v1/usage/limits`: what is left. */
import { send, sendJson } from '../http/send.ts';
import { userDigest } from '../money/accounts.ts';
import { ownUsage } from '../money/ledger.ts';
import { shownUsage, usageCsv, usageQuery } from '../money/usage.ts';
import { type EndpointContext, type Endpoints, type Exchange, scoped } from './endpoint.ts';

/** Usage. */
export const usage: Endpoints = (context) => ({
  '/v1/usage': scoped('usage', { GET: (exchange) => showUsage(context, exchange) }),
  '/v1/usage/limits': scoped('usage', { GET: (exchange) => showLimits(context, exchange) }),
});

/** Answers with what the key may see; an admin's may see all. */
export function showUsage(
  { gateway }: Pick<EndpointContext, 'gateway'>,
  { request, response, url, principal }: Exchange,
): void {
  const query = usageQuery(url.searchParams, Date.now(), userDigest);
  const rows = gateway.ledger.entries.usage(ownUsage(principal, query));
  const wantsCsv = (url.searchParams.get('format') ?? request.headers.accept ?? '').includes('csv');
  if (wantsCsv) send(response, 200, 'text/csv; charset=utf-8', usageCsv(rows, query.groupBy));
  else
    sendJson(response, 200, {
      object: 'gateway.usage',
      from: new Date(query.fromMs).toISOString(),
      to: new Date(query.toMs).toISOString(),
      group_by: query.groupBy,
      data: rows.map(shownUsage),
    });
}

function showLimits({ gateway }: EndpointContext, { response, url, principal }: Exchange): void {
  const limits = gateway.ledger.limitsOf(principal, url.searchParams.get('user') ?? undefined);
  sendJson(response, 200, {
    object: 'gateway.limits',
    data: limits.map(({ freeAtMs, ...limit }) => ({
      ...limit,
      free_at: freeAtMs === undefined ? null : new Date(freeAtMs).toISOString(),
    })),
  });
}

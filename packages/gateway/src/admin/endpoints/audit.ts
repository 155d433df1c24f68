/** `GET /admin/v1/audit`: what managers did, newest first. */
import { closed } from '../../endpoints/endpoint.ts';
import { sendJson } from '../../http/send.ts';
import { type AdminEndpoints, wholeNumber } from '../endpoint.ts';

/** The audit log. `gatewright audit verify` checks its chain. */
export const audit: AdminEndpoints = ({ gateway }) => ({
  '/admin/v1/audit': closed({
    GET: ({ response, url }) => {
      const limit = wholeNumber('limit', url.searchParams.get('limit'), 50, 1, 1000);
      const before = wholeNumber('before', url.searchParams.get('before'), Infinity, 0, Number.MAX_SAFE_INTEGER);
      const data = gateway.identity.audit.list({ limit, before });
      sendJson(response, 200, { object: 'list', data, has_more: data.length === limit && data.at(-1)!.seq > 0 });
    },
  }),
});

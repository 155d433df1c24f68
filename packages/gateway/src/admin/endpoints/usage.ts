/** `GET /admin/v1/usage`: what everybody spent. The same as `/v1/usage`, which shows each key its own. */
import { closed } from '../../endpoints/endpoint.ts';
import { showUsage } from '../../endpoints/usage.ts';
import type { AdminEndpoints } from '../endpoint.ts';

/** Usage of all. */
export const usage: AdminEndpoints = (context) => ({
  '/admin/v1/usage': closed({ GET: (exchange) => showUsage(context, exchange) }),
});

/** `/admin/v1/keys`: virtual keys. A key itself stands in the answer to its creation or rotation, and nowhere else. */
import { GatewrightError } from '@gatewright/kernel';
import { closed } from '../../endpoints/endpoint.ts';
import { sendJson } from '../../http/send.ts';
import { checkKeyFields, type KeyRecord } from '../../identity/key-fields.ts';
import { LONGEST_OVERLAP_MS } from '../../identity/keys.ts';
import { type AdminEndpoints, actsOf, readObject, wholeNumber } from '../endpoint.ts';

const USUAL_OVERLAP_MS = 3_600_000;

/** Keys. */
export const keys: AdminEndpoints = (context) => {
  const { keys: store } = context.gateway.identity;
  return {
    '/admin/v1/keys': closed({
      GET: ({ response }) => sendJson(response, 200, { object: 'list', data: store.list().map(shown) }),
      POST: async (exchange) => {
        const fields = checkKeyFields(await readObject(exchange));
        const { record, key } = actsOf(context, exchange).createKey(fields);
        sendJson(exchange.response, 201, { ...shown(record), key });
      },
    }),
    '/admin/v1/keys/:id': closed({
      GET: ({ response, params }) => sendJson(response, 200, shown(store.show(params['id']!))),
      PATCH: async (exchange) => {
        const fields = checkKeyFields(await readObject(exchange));
        sendJson(exchange.response, 200, shown(actsOf(context, exchange).changeKey(exchange.params['id']!, fields)));
      },
      DELETE: (exchange) => {
        const { id } = actsOf(context, exchange).deleteKey(exchange.params['id']!);
        sendJson(exchange.response, 200, { object: 'gateway.key', id, deleted: true });
      },
    }),
    '/admin/v1/keys/:id/rotate': closed({
      POST: async (exchange) => {
        const { overlapMs, ...others } = await readObject(exchange);
        const [unknown] = Object.keys(others);
        if (unknown !== undefined)
          throw new GatewrightError('GW_REQUEST_TYPE', `There is no ${JSON.stringify(unknown.slice(0, 60))} here.`, {
            fix: 'Send {"overlapMs": N}, or {}.',
          });
        const { record, key } = actsOf(context, exchange).rotateKey(
          exchange.params['id']!,
          wholeNumber('overlapMs', overlapMs, USUAL_OVERLAP_MS, 0, LONGEST_OVERLAP_MS),
        );
        sendJson(exchange.response, 200, { ...shown(record), key });
      },
    }),
    '/admin/v1/keys/:id/revoke': closed({
      POST: async (exchange) => {
        await readObject(exchange);
        sendJson(exchange.response, 200, shown(actsOf(context, exchange).revokeKey(exchange.params['id']!)));
      },
    }),
  };
};

function shown(record: KeyRecord): Record<string, unknown> {
  return { object: 'gateway.key', ...record };
}

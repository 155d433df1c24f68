/** `/v1/preferences`: what a user prefers, told or learned from choices. */
import { GatewrightError } from '@gatewright/kernel';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { Gateway } from '../gateway.ts';
import { readBody } from '../http/body.ts';
import { sendJson } from '../http/send.ts';
import { requireUser } from '../identity/principal.ts';
import { traceTimeMs } from '../trace-id.ts';
import { parseJsonBody } from '../wire/request.ts';
import { type Endpoints, type Exchange, scoped } from './endpoint.ts';

/** Preferences. */
export const preferences: Endpoints = ({ gateway }) => ({
  '/v1/preferences': scoped('feedback', {
    GET: (exchange) => showPreference(gateway, exchange),
    PUT: (exchange) => pinPreference(gateway, exchange),
    POST: (exchange) => takeChoice(gateway, exchange),
    DELETE: (exchange) => resetPreference(gateway, exchange),
  }),
});

/** Whose preference: the user that the key stands for, else `?user=` of the request. */
function userOf({ url, principal }: Exchange): string {
  const user = requireUser(principal, url.searchParams.get('user') ?? undefined);
  if (user !== undefined && user !== '' && user.length <= 200) return user;
  throw new GatewrightError('GW_REQUEST_TYPE', 'user is missing, or longer than 200 characters.', {
    path: 'user',
    fix: 'Name whose preference it is: /v1/preferences?user=NAME.',
  });
}

function showPreference(gateway: Gateway, exchange: Exchange): void {
  const user = userOf(exchange);
  const { qualityWeight, count, isPinned } = gateway.runtime.memory.preferenceOf(user);
  sendJson(exchange.response, 200, {
    object: 'gateway.preference',
    user,
    quality_weight: qualityWeight,
    choices: count,
    pinned: isPinned,
  });
}

const pinValidator = Compile(
  Type.Object({ quality_weight: Type.Number({ minimum: 0, maximum: 1 }) }, { additionalProperties: false }),
);

async function pinPreference(gateway: Gateway, exchange: Exchange): Promise<void> {
  const user = userOf(exchange);
  const body = parseJsonBody(await readBody(exchange.request, 65_536));
  if (!pinValidator.Check(body))
    throw new GatewrightError('GW_REQUEST_TYPE', 'The body is not a weight of quality.', {
      path: 'quality_weight',
      fix: 'Send {"quality_weight": 0..1}: 1 for quality alone, 0 for cost alone.',
    });
  gateway.runtime.memory.pin(user, body.quality_weight);
  showPreference(gateway, exchange);
}

function resetPreference(gateway: Gateway, exchange: Exchange): void {
  gateway.runtime.memory.reset(userOf(exchange));
  showPreference(gateway, exchange);
}

const choiceValidator = Compile(
  Type.Object(
    {
      chosen: Type.String({ minLength: 1, maxLength: 100 }),
      rejected: Type.String({ minLength: 1, maxLength: 100 }),
    },
    { additionalProperties: false },
  ),
);

/** That a user took the answer of one trace rather than that of another. */
async function takeChoice(gateway: Gateway, exchange: Exchange): Promise<void> {
  const user = userOf(exchange);
  const body = parseJsonBody(await readBody(exchange.request, 65_536));
  if (!choiceValidator.Check(body))
    throw new GatewrightError('GW_REQUEST_TYPE', 'The body is not a choice between two answers.', {
      path: 'chosen',
      fix: 'Send {"chosen": "tr_...", "rejected": "tr_..."}.',
    });
  const [chosen, rejected] = await Promise.all(
    [body.chosen, body.rejected].map(async (id) => {
      const stored = traceTimeMs(id) === undefined ? undefined : await gateway.store.find(id);
      if (stored !== undefined) return stored.trace;
      throw new GatewrightError('GW_TRACE_UNKNOWN', `There is no trace ${JSON.stringify(id.slice(0, 60))}.`, {
        fix: 'Send the x-gw-trace headers of two answers of this gateway.',
      });
    }),
  );
  gateway.runtime.memory.chose(user, chosen!, rejected!);
  showPreference(gateway, exchange);
}

/** `/v1/preferences`: what a user prefers, told or learned from choices. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { GatewrightError } from '@gatewright/kernel';
import Type from 'typebox';
import { Compile } from 'typebox/compile';
import type { Gateway } from '../gateway.ts';
import { readBody } from '../http/body.ts';
import { sendJson } from '../http/send.ts';
import { traceTimeMs } from '../trace-id.ts';
import { parseJsonBody } from '../wire/request.ts';
import { closed, type Endpoints } from './endpoint.ts';

/** Preferences. */
export const preferences: Endpoints = ({ gateway }) => ({
  '/v1/preferences': closed({
    GET: ({ request, response }) => showPreference(gateway, request, response),
    PUT: ({ request, response }) => pinPreference(gateway, request, response),
    POST: ({ request, response }) => takeChoice(gateway, request, response),
    DELETE: ({ request, response }) => resetPreference(gateway, request, response),
  }),
});

/** Whose preference: `?user=` of the request. */
function userOf(request: IncomingMessage): string {
  const user = new URL(request.url ?? '/', 'http://gateway').searchParams.get('user');
  if (user !== null && user !== '' && user.length <= 200) return user;
  throw new GatewrightError('GW_REQUEST_TYPE', 'user is missing, or longer than 200 characters.', {
    path: 'user',
    fix: 'Name whose preference it is: /v1/preferences?user=NAME.',
  });
}

function showPreference(gateway: Gateway, request: IncomingMessage, response: ServerResponse): void {
  const user = userOf(request);
  const { qualityWeight, count, isPinned } = gateway.runtime.memory.preferenceOf(user);
  sendJson(response, 200, {
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

async function pinPreference(gateway: Gateway, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const user = userOf(request);
  const body = parseJsonBody(await readBody(request, 65_536));
  if (!pinValidator.Check(body))
    throw new GatewrightError('GW_REQUEST_TYPE', 'The body is not a weight of quality.', {
      path: 'quality_weight',
      fix: 'Send {"quality_weight": 0..1}: 1 for quality alone, 0 for cost alone.',
    });
  gateway.runtime.memory.pin(user, body.quality_weight);
  showPreference(gateway, request, response);
}

function resetPreference(gateway: Gateway, request: IncomingMessage, response: ServerResponse): void {
  gateway.runtime.memory.reset(userOf(request));
  showPreference(gateway, request, response);
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
async function takeChoice(gateway: Gateway, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const user = userOf(request);
  const body = parseJsonBody(await readBody(request, 65_536));
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
  showPreference(gateway, request, response);
}

/** `GET /v1/models`: modes and experts, in the form in which OpenAI lists models. */
import type { Gateway } from '../gateway.ts';
import { sendJson } from '../http/send.ts';
import { closed, type Endpoints } from './endpoint.ts';

/** Models. */
export const models: Endpoints = ({ gateway }) => ({
  '/v1/models': closed({ GET: ({ response }) => sendJson(response, 200, listed(gateway)) }),
});

function listed(gateway: Gateway): unknown {
  const { config, experts } = gateway.runtime;
  const entry = (id: string, owner: string, extra: object): object => ({
    id,
    object: 'model',
    created: 0,
    owned_by: owner,
    ...extra,
  });
  return {
    object: 'list',
    data: [
      ...Object.entries(config.modes).map(([name, mode]) =>
        entry(`gw/${name}`, 'gatewright', { summary: mode.summary ?? `${mode.policy.use} + ${mode.composition.use}` }),
      ),
      ...experts.map(({ expert }) =>
        entry(expert.id, expert.provider.use, {
          price: expert.price,
          capabilities: expert.capabilities,
          ...(expert.contextTokens === undefined ? {} : { context_tokens: expert.contextTokens }),
        }),
      ),
    ],
  };
}

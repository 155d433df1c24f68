/** `/admin/v1/config`: the configuration in force, and reading it again. */
import { GatewrightError } from '@gatewright/kernel';
import { closed } from '../../endpoints/endpoint.ts';
import { sendJson } from '../../http/send.ts';
import { redact } from '../../redact.ts';
import { type AdminEndpoints, actsOf, readObject } from '../endpoint.ts';

/** The configuration. */
export const config: AdminEndpoints = (context) => ({
  '/admin/v1/config': closed({
    GET: ({ response }) => sendJson(response, 200, withoutSecrets(context.gateway.runtime.config)),
  }),
  '/admin/v1/config/reload': closed({
    POST: async (exchange) => {
      await readObject(exchange);
      const { reload } = context.gateway;
      const outcome = actsOf(context, exchange).act({ action: 'config.reload' }, () => {
        if (reload === undefined)
          throw new GatewrightError('GW_ADMIN_NO_FILE', 'The gateway was started without a configuration file.', {
            fix: 'Start it with --config FILE; a changed file is then read by itself, too.',
          });
        const done = reload();
        if (done.status === 'refused')
          throw new GatewrightError('GW_CONFIG', `The configuration stays as it was: ${done.reason}`, {
            fix: 'Correct the file; `gatewright check` tells all that is wrong with it.',
          });
        return done;
      });
      sendJson(exchange.response, 200, { object: 'gateway.reload', ...outcome });
    },
  }),
});

/**
 * A configuration names the variables that hold secrets. Should a secret stand in it all the same (in a URL, in a header, in
 * an option of that name), it is not shown.
 */
export function withoutSecrets(value: unknown, name = ''): unknown {
  if (typeof value === 'string') return SECRET_NAME.test(name) ? '[redacted]' : redact(withoutUrlSecrets(value));
  if (value === null || typeof value !== 'object') return value;
  if (Array.isArray(value)) return value.map((item) => withoutSecrets(item, name));
  const isHeaders = /headers$/i.test(name);
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [key, withoutSecrets(item, isHeaders ? 'secret' : key)]),
  );
}

/** Not `apiKeyEnv`, which is a name of a variable, and not `maxTokens`, which is no text. */
const SECRET_NAME = /(?:key|token|secret|password|credential|authorization|cookie)s?$/i;

/** User and password of a URL, and what stands in its query. */
function withoutUrlSecrets(text: string): string {
  if (!/^[a-z][a-z0-9+.-]*:\/\//i.test(text) || !URL.canParse(text)) return text;
  const url = new URL(text);
  if (url.username === '' && url.password === '' && url.search === '') return text;
  if (url.username !== '' || url.password !== '') {
    url.username = 'redacted';
    url.password = '';
  }
  for (const key of [...url.searchParams.keys()]) url.searchParams.set(key, 'redacted');
  return url.href;
}

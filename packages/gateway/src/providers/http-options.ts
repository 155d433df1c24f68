/** What the options of all providers that speak HTTP have in common, and how it is checked. */
import { GatewrightError, numberOption, OptionError, onlyOptions, WITHHELD } from '@gatewright/kernel';
import type { ProviderContext } from './provider.ts';

/** Options that every provider over HTTP has, as in the configuration. */
export interface HttpOptions {
  /** Where the server is. No user, password or query in it. */
  readonly baseUrl?: string;
  /** The server's own name of the model. */
  readonly model: string;
  /** Environment variable that holds the key. */
  readonly apiKeyEnv?: string;
  /** Fields added to every body; they win over the client's. */
  readonly params?: Readonly<Record<string, unknown>>;
  /** Largest answer taken, bytes. Default 33554432. */
  readonly maxAnswerBytes?: number;
}

/** The same, checked. */
export interface CheckedHttpOptions {
  readonly url: URL;
  /** Its path without a slash at the end; empty where it has none. */
  readonly basePath: string;
  readonly model: string;
  readonly params: Readonly<Record<string, unknown>>;
  readonly maxAnswerBytes: number;
  /** The key's value, or undefined where none is sent. @throws {GatewrightError} `GW_KEY_MISSING` */
  secretOf(context: ProviderContext): string | undefined;
}

/**
 * Checks the shared options. Values that may be a key never stand in a message.
 *
 * @param others names of the provider's own options
 * @param defaults what stands where the configuration says nothing; without `baseUrl` it is required
 * @throws {OptionError} if an option has the wrong form or is not known
 */
export function httpOptions(
  options: HttpOptions,
  others: readonly string[],
  defaults: { readonly baseUrl?: string; readonly apiKeyEnv?: string; readonly exampleUrl: string },
): CheckedHttpOptions {
  for (const name of Object.keys(options)) {
    // The value is a key by all appearances: it must not stand in the message.
    if (name !== 'apiKeyEnv' && !others.includes(name) && /key|token|secret|passw|authorization/i.test(name))
      throw new OptionError(
        name,
        'left out',
        WITHHELD,
        'Put the key into the environment and name the variable with apiKeyEnv.',
      );
  }
  onlyOptions(options, ['baseUrl', 'model', 'apiKeyEnv', 'params', 'maxAnswerBytes', ...others]);
  const { model, params = {} } = options;
  const apiKeyEnv = options.apiKeyEnv ?? defaults.apiKeyEnv;
  const url = endpoint(options.baseUrl ?? defaults.baseUrl, defaults.exampleUrl);
  if (typeof model !== 'string' || model === '')
    throw new OptionError('model', "the server's name of the model", model, 'Ask the server: GET /v1/models.');
  if (apiKeyEnv !== undefined && (typeof apiKeyEnv !== 'string' || !/^[A-Za-z_][A-Za-z0-9_]*$/.test(apiKeyEnv))) {
    // The value may be a key that somebody put here by mistake: it must not stand in the message.
    throw new OptionError(
      'apiKeyEnv',
      'the name of an environment variable',
      WITHHELD,
      'Name the variable, for example OPENAI_API_KEY; never the key itself.',
    );
  }
  if (params === null || typeof params !== 'object' || Array.isArray(params))
    throw new OptionError('params', 'a map of body fields', params, 'For example { temperature: 0 }.');
  for (const name of Object.keys(params)) {
    if (/api[-_]?key|authorization|secret|passw/i.test(name))
      throw new OptionError(
        `params.${name}`,
        'left out',
        WITHHELD,
        'Put the key into the environment and name the variable with apiKeyEnv.',
      );
  }
  const maxAnswerBytes = numberOption(
    'maxAnswerBytes',
    options.maxAnswerBytes ?? 33_554_432,
    { min: 1024, whole: true },
    'Leave it out for 32 MiB.',
  );
  return {
    url,
    // The path of a URL is never empty.
    basePath: url.pathname.replace(/\/+$/, ''),
    model,
    params,
    maxAnswerBytes,
    secretOf: (context) => (apiKeyEnv === undefined ? undefined : keyFromEnvironment(apiKeyEnv, context)),
  };
}

function keyFromEnvironment(name: string, context: ProviderContext): string {
  const value = context.env[name]?.trim();
  if (value === undefined || value === '') {
    throw new GatewrightError('GW_KEY_MISSING', `The environment variable ${name} is not set.`, {
      fix: `Set it: export ${name}=...`,
      path: 'apiKeyEnv',
    });
  }
  // Not one of them can stand in a header: every call would fail, and say something else.
  if (/[^\x21-\x7e]/.test(value)) {
    throw new GatewrightError(
      'GW_KEY_MISSING',
      `The environment variable ${name} holds no key: a key has no spaces, line breaks or other letters than ASCII.`,
      {
        fix: `Set it to the key alone: export ${name}=...`,
        path: 'apiKeyEnv',
      },
    );
  }
  return value;
}

function endpoint(baseUrl: unknown, exampleUrl: string): URL {
  const example = `For example ${exampleUrl}.`;
  if (typeof baseUrl !== 'string' || !URL.canParse(baseUrl))
    throw new OptionError('baseUrl', 'a URL', WITHHELD, example);
  const url = new URL(baseUrl);
  if (url.protocol !== 'http:' && url.protocol !== 'https:')
    throw new OptionError('baseUrl', 'an http or https URL', url.protocol, example);
  if (url.username !== '' || url.password !== '') {
    throw new OptionError(
      'baseUrl',
      'a URL without user and password',
      WITHHELD,
      'Put the key into the environment and name the variable with apiKeyEnv.',
    );
  }
  if (url.search !== '' || url.hash !== '')
    throw new OptionError('baseUrl', 'a URL without query and fragment', WITHHELD, example);
  return url;
}

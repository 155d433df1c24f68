/** The secrets that a configuration makes the gateway use: what no line of the log may hold, whatever it looks like. */
import type { Config } from './config/config.ts';

/**
 * Values of all environment variables that a configuration names (every setting whose name ends in `Env`), each entry of a list
 * and each value of `name=value` on its own.
 */
export function knownSecrets(config: Config, env: Readonly<Record<string, string | undefined>>): readonly string[] {
  const names = new Set(['OTEL_EXPORTER_OTLP_HEADERS']);
  const walk = (value: unknown): void => {
    if (value === null || typeof value !== 'object') return;
    for (const [name, field] of Object.entries(value)) {
      if (typeof field === 'string' && name.endsWith('Env')) names.add(field);
      else walk(field);
    }
  };
  walk(config);
  const secrets = new Set<string>();
  for (const name of names) {
    for (const entry of (env[name] ?? '').split(',')) {
      const value = entry.slice(entry.indexOf('=') + 1);
      for (const secret of [entry.trim(), value.trim(), decoded(value.trim())]) if (secret !== '') secrets.add(secret);
    }
  }
  return [...secrets];
}

/** Headers in the environment are percent-encoded. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

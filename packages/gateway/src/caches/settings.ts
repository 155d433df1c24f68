/** Which cache a mode has, from the configuration. */
import type { Config } from '../config/config.ts';
import { MODE_PREFIX } from '../config/config.ts';
import type { ExactCacheSettings } from './response-cache.ts';
import { type SemanticCache, semanticCache } from './semantic.ts';

/** Memory for answers, bytes, where the configuration says nothing. */
export const CACHE_BYTES = 67_108_864;

/** Settings of the exact cache for a mode (`gw/auto`, or `pinned`); undefined where it has none. */
export function cacheSettings({ cache, modes }: Config, modeName: string): ExactCacheSettings | undefined {
  const own = modeName.startsWith(MODE_PREFIX) ? modes[modeName.slice(MODE_PREFIX.length)]?.cache : undefined;
  if (own === false) return undefined;
  const common = cache?.exact;
  if (own === undefined && common === undefined) return undefined;
  return {
    ttlMs: own?.ttlMs ?? common?.ttlMs ?? 600_000,
    scope: own?.scope ?? common?.scope ?? 'key',
    onlyDeterministic: own?.onlyDeterministic ?? common?.onlyDeterministic ?? true,
  };
}

/** The semantic cache of a configuration. @throws {GatewrightError} `GW_CACHE_MEASUREMENT` */
export function semanticOf({ cache }: Config): SemanticCache | undefined {
  return cache?.semantic === undefined ? undefined : semanticCache(cache.semantic);
}

/** The catalogue of the package `@pydantic/genai-prices`: its data in our form. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import type { Price, Rates } from '../cost.ts';
import type { Catalog, CatalogEntry } from './catalog.ts';

const PACKAGE = '@pydantic/genai-prices';

type Pricing = typeof import('@pydantic/genai-prices');
type ModelPrice = import('@pydantic/genai-prices').ModelPrice;
type ModelInfo = import('@pydantic/genai-prices').ModelInfo;

/** Its names of what we price by tokens. */
const RATES: readonly (readonly [keyof Rates, string])[] = [
  ['inputUsdPerMTok', 'input_mtok'],
  ['outputUsdPerMTok', 'output_mtok'],
  ['cachedInputUsdPerMTok', 'cache_read_mtok'],
  ['cacheWriteUsdPerMTok', 'cache_write_mtok'],
  ['cacheWrite1hUsdPerMTok', 'cache_write_1h_mtok'],
  ['reasoningUsdPerMTok', 'output_reasoning_mtok'],
  ['audioInputUsdPerMTok', 'input_audio_mtok'],
  ['audioOutputUsdPerMTok', 'output_audio_mtok'],
];

/**
 * Loads the package. It is large (see `docs/configuration.md`), so call this only when a model is to be looked up; a
 * second call is free. It updates itself only when asked to, which nobody does: prices change with the package's version.
 *
 * @param atMs milliseconds since 1970: some prices hold from a day on
 */
export function genaiPrices(atMs: number): Catalog {
  const require = createRequire(import.meta.url);
  const pricing = require(PACKAGE) as Pricing;
  const file = join(dirname(require.resolve(PACKAGE)), '..', 'package.json');
  const { version } = JSON.parse(readFileSync(file, 'utf8')) as { version: string };
  return {
    version: `${PACKAGE}@${version}`,
    find(named, model) {
      const provider = pricing.findProvider('id' in named ? { providerId: named.id } : { providerApiUrl: named.url });
      if (provider === undefined) return undefined;
      // Without tokens there is nothing to calculate: this only finds the model.
      const found = pricing.calcPrice({}, model, { providerId: provider.id, timestamp: new Date(atMs) });
      return found === null ? undefined : entryOf(provider.id, found.model, pricesAt(found.model, atMs));
    },
  };
}

function entryOf(provider: string, model: ModelInfo, prices: ModelPrice): CatalogEntry {
  return {
    provider,
    model: model.id,
    price: priceOf(prices),
    contextTokens: model.context_window,
    isInputOnly: prices['input_mtok'] !== undefined && prices['output_mtok'] === undefined,
  };
}

/** Where prices change over the day, the dearest one: a budget that is kept at it is kept at every hour. */
function pricesAt({ prices }: ModelInfo, atMs: number): ModelPrice {
  if (!Array.isArray(prices)) return prices;
  const reachable: ModelPrice[] = [];
  // The last entry whose condition holds is the one in force.
  for (const { constraint, prices: entry } of prices.toReversed()) {
    if (constraint?.type === 'start_date' && atMs < Date.parse(constraint.start_date)) continue;
    reachable.push(entry);
    if (constraint?.type !== 'time_of_date') break;
  }
  const sum = (entry: ModelPrice): number => baseOf(entry['input_mtok']) + baseOf(entry['output_mtok']);
  return reachable.reduce((dearest, entry) => (sum(entry) > sum(dearest) ? entry : dearest));
}

function priceOf(prices: ModelPrice): Price | undefined {
  const base: Record<string, number> = {};
  const tiers = new Map<number, Record<string, number>>();
  for (const [name, key] of RATES) {
    const value = prices[key];
    if (value === undefined) continue;
    base[name] = baseOf(value);
    if (typeof value === 'number') continue;
    for (const { start, price } of value.tiers) tiers.set(start, { ...tiers.get(start), [name]: price });
  }
  const { inputUsdPerMTok, outputUsdPerMTok = 0 } = base;
  if (inputUsdPerMTok === undefined) return undefined;
  const requestsKUsd = prices['requests_kcount'];
  // A field that has no tier of its own at a start keeps the one below it.
  const starts = [...tiers.keys()].sort((a, b) => a - b);
  const above = starts.map((start) =>
    Object.assign({ promptTokens: start }, ...starts.filter((lower) => lower <= start).map((at) => tiers.get(at))),
  );
  return {
    ...base,
    inputUsdPerMTok,
    outputUsdPerMTok,
    ...(typeof requestsKUsd === 'number' ? { requestUsd: requestsKUsd / 1000 } : {}),
    ...(above.length === 0 ? {} : { above }),
  };
}

function baseOf(value: ModelPrice[string]): number {
  return typeof value === 'number' ? value : (value?.base ?? 0);
}

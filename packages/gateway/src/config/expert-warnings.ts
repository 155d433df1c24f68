/** What is allowed in a configuration and most likely not meant: told by `gatewright check`, never refused. */

import type { Config, Expert } from './config.ts';
import { type Capability, LATER_CAPABILITIES } from './schema.ts';

/** One sentence each. */
export function expertWarnings({ experts }: Pick<Config, 'experts'>): string[] {
  const named = LATER_CAPABILITIES.filter((name) => experts.some(({ capabilities }) => capabilities.includes(name)));
  return experts.flatMap((expert) => [...priceWarnings(expert), ...capabilityWarnings(expert, named)]);
}

function priceWarnings({ id, price, catalog, kind, provider, isUnpriced }: Expert): string[] {
  // What is simulated or replayed brings its own cost, or has none.
  if (provider.use === 'sandbox' || provider.use === 'replay') return [];
  if (isUnpriced === true)
    return [`${id} has no price, declared or known: its cost counts as 0, so no budget and no cost score sees it.`];
  if (catalog?.fields.includes('price') === true && price.outputUsdPerMTok === 0 && kind !== 'embedding')
    return [`${id} (${catalog.model}) charges nothing for what it writes: if it makes vectors, set kind: embedding.`];
  return [];
}

/** Where one expert names a later capability, all others count as lacking it. */
function capabilityWarnings({ id, capabilities, kind }: Expert, named: readonly Capability[]): string[] {
  if (kind === 'embedding') return [];
  const implied: Partial<Record<Capability, Capability>> = { jsonSchema: 'json', parallelTools: 'tools' };
  return named.flatMap((name) => {
    const wider = implied[name];
    if (wider === undefined || capabilities.includes(name) || !capabilities.includes(wider)) return [];
    return [
      `${id} offers ${wider} and does not name ${name}, which others do: requests that need ${name} will not reach it.`,
    ];
  });
}

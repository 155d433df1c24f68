import { onlyOptions } from '../options.ts';
import type { Composition } from './composition.ts';

/** Asks the first expert of the ranking, and nobody else whatever happens. */
export function single(options: Record<string, never> = {}): Composition {
  onlyOptions(options, []);
  return {
    needsConfidence: false,
    maxCalls: () => 1,
    *start() {
      const [outcome] = yield { kind: 'all', calls: [{ rank: 0, release: 'content' }] };
      return {
        rank: 0,
        gates: [],
        reason: outcome!.status === 'ok' ? 'one expert asked' : 'one expert asked; it failed',
      };
    },
  };
}

import { numberOption, onlyOptions } from '../options.ts';
import type { Composition } from './composition.ts';

/**
 * Asks the first expert and, while it has not answered, another one every `afterMs`. The first answer wins, the
 * others are cancelled; what they cost until then is booked. Whoever makes the calls may hold second calls to a budget:
 * where it is used up, the next expert is asked only when those before it have failed, as `fallback` does.
 *
 * @throws {OptionError} if `afterMs` is negative or `width` is not a whole number of at least 1
 * @see Dean, Barroso 2013, "The tail at scale", hedged requests. They hedge after the 95th percentile of latency;
 *   without `afterMs` that is learned.
 */
export function hedge(options: {
  /**
   * How long to wait for an answer before the next expert is asked too, milliseconds. Default: the 95th percentile of what
   * the one asked before took of late; offline, where nobody knows, until it has failed.
   */
  afterMs?: number;
  /** Most experts asked. Default 2. */
  width?: number;
}): Composition {
  onlyOptions(options, ['afterMs', 'width']);
  const staggerMs =
    options.afterMs === undefined
      ? undefined
      : numberOption('afterMs', options.afterMs, { min: 0 }, 'Leave it out for the learned 95th percentile.');
  const width = numberOption('width', options.width ?? 2, { min: 1, whole: true }, 'Use 2.');
  return {
    needsConfidence: false,
    maxCalls: (ranked) => Math.min(width, ranked),
    *start(ranked) {
      const calls = Array.from(
        { length: Math.min(width, ranked) },
        (_, rank) => ({ rank, release: 'content' }) as const,
      );
      const outcomes = yield { kind: 'race', calls, staggerMs };
      const winner = outcomes.find((outcome) => outcome.status === 'ok');
      if (winner !== undefined) {
        return {
          rank: winner.rank,
          gates: [],
          reason: winner.rank === 0 ? 'first choice answered in time' : `rank ${winner.rank} answered first`,
        };
      }
      const shown =
        outcomes.find((outcome) => outcome.released) ?? outcomes.find((outcome) => outcome.elsewhere === false);
      const failed = shown ?? outcomes.findLast((outcome) => outcome.status === 'error') ?? outcomes[0]!;
      return { rank: failed.rank, gates: [], reason: 'nobody answered' };
    },
  };
}

import { numberOption, onlyOptions } from '../options.ts';
import type { Composition } from './composition.ts';

/**
 * Asks the experts in order until one answers. Stops early when the failure is the request's own fault, or when the
 * client has already seen a part of an answer: then another expert could only contradict it.
 *
 * @throws {OptionError} if `attempts` is not a whole number of at least 1
 */
export function fallback(options: { /** Most experts asked. Default 3. */ attempts?: number } = {}): Composition {
  onlyOptions(options, ['attempts']);
  const attempts = numberOption(
    'attempts',
    options.attempts ?? 3,
    { min: 1, whole: true },
    'Use 1 to ask only the first expert.',
  );
  return {
    needsConfidence: false,
    maxCalls: (ranked) => Math.min(attempts, ranked),
    *start(ranked) {
      const last = Math.min(attempts, ranked) - 1;
      for (let rank = 0; ; rank++) {
        const [outcome] = yield { kind: 'all', calls: [{ rank, release: 'content' }] };
        if (outcome!.status === 'ok') {
          return { rank, gates: [], reason: rank === 0 ? 'first choice answered' : `answered after ${rank} failed` };
        }
        if (outcome!.elsewhere === false)
          return { rank, gates: [], reason: 'refused; another expert would refuse it too' };
        if (outcome!.released) return { rank, gates: [], reason: 'failed after a part of the answer was out' };
        if (rank === last) return { rank, gates: [], reason: `all ${rank + 1} asked failed` };
      }
    },
  };
}

/**
 * Wrong keys, counted by where they come from. A virtual key cannot be guessed, and neither can a long key of the
 * environment: they need no protection and are never refused for others' failures. The pauses are for short ones.
 */

/** Counts failures and says who has to wait. */
export interface FailureCounter {
  /** Milliseconds that this address has to wait; 0 if it need not. */
  waitMs(address: string): number;
  failed(address: string): void;
}

/** So many wrong keys in a row are a mistake in a configuration. */
const FREE_FAILURES = 20;
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 60_000;
/** Whoever was quiet for so long begins anew. */
const FORGET_MS = 900_000;
const MOST_ADDRESSES = 4_096;

/** A counter of at most 4096 addresses; the one that has been quiet the longest gives way. */
export function failureCounter(now: () => number = Date.now): FailureCounter {
  const known = new Map<string, { count: number; lastMs: number; untilMs: number }>();
  return {
    waitMs(address) {
      if (known.size === 0) return 0;
      return Math.max(0, (known.get(networkOf(address))?.untilMs ?? 0) - now());
    },
    failed(address) {
      const network = networkOf(address);
      const nowMs = now();
      const before = known.get(network);
      known.delete(network);
      const count = before === undefined || nowMs - before.lastMs > FORGET_MS ? 1 : before.count + 1;
      const beyond = count - FREE_FAILURES;
      // Those that come during a pause do not lengthen it: a client that asks ten times a second would never be let in again.
      const isPaused = (before?.untilMs ?? 0) > nowMs;
      const untilMs = isPaused
        ? before!.untilMs
        : beyond < 0
          ? 0
          : nowMs + Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(beyond, 10));
      if (known.size >= MOST_ADDRESSES) known.delete(known.keys().next().value!);
      known.set(network, { count: isPaused ? before!.count : count, lastMs: nowMs, untilMs });
    },
  };
}

/** Of an IPv6 address the first 64 bits: whoever has one has all the rest. */
function networkOf(address: string): string {
  if (!address.includes(':') || address.startsWith('::ffff:')) return address;
  const [head = '', tail] = address.split('::');
  const groups = head === '' ? [] : head.split(':');
  if (tail !== undefined) {
    const after = tail === '' ? 0 : tail.split(':').length;
    while (groups.length + after < 8) groups.push('0');
  }
  return groups.slice(0, 4).join(':');
}

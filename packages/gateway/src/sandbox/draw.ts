/** Drawing from a seeded stream: what every task generator needs. */
import type { Random } from '@gatewright/kernel';

/** One of the items. `items` must not be empty. */
export function pick<Item>(random: Random, items: readonly Item[]): Item {
  return items[random.below(items.length)]!;
}

/** A whole number from `low` to `high`, both included. */
export function between(random: Random, low: number, high: number): number {
  return low + random.below(Math.max(1, high - low + 1));
}

/** The items in random order (Fisher and Yates), as a new array. */
export function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  const out = [...items];
  for (let i = out.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [out[i], out[j]] = [out[j]!, out[i]!];
  }
  return out;
}

/** `value` brought into 0..1. Not a number becomes 0. */
export function unit(value: number): number {
  return value > 0 ? Math.min(1, value) : 0;
}

/** The point between `low` and `high` that `difficulty` (0..1) dials, rounded to a whole number. */
export function dial(difficulty: number, low: number, high: number): number {
  return Math.round(low + unit(difficulty) * (high - low));
}

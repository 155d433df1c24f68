/** Selection of the k largest: the last step of every gate and of every request policy. */
import { ShapeError } from './errors.ts';

/** Any of the float arrays that scores come in. */
export type Scores = Float32Array | Float64Array;

/**
 * Fills `indices` with the positions of the largest entries of `scores`, best first. Equal scores go to the lower
 * index, so a run repeats exactly on any machine. `-Infinity` marks a forbidden expert: it is never selected.
 *
 * @param scores `[experts]`, no NaN; not mutated
 * @param indices `[k]`, out; positions past the returned count are set to -1
 * @returns how many were selected: `k`, or fewer when fewer experts are allowed
 * @throws {ShapeError} if `k` exceeds the number of experts, or a score is NaN
 */
export function selectTopK(scores: Scores, indices: Int32Array): number {
  const k = indices.length;
  if (k > scores.length)
    throw new ShapeError('indices', `at most ${scores.length} long (one per expert)`, k, 'Lower k.');
  // Insertion into a list k long: for the small k of routing this allocates nothing and sorts nothing.
  let count = 0;
  for (let i = 0; i < scores.length; i++) {
    const score = scores[i]!;
    if (Number.isNaN(score))
      throw new ShapeError(`scores[${i}]`, 'a number', Number.NaN, 'Mask forbidden experts with -Infinity.');
    if (score === -Infinity) continue;
    let slot = count;
    // `>` rather than `>=` keeps ties in index order.
    while (slot > 0 && score > scores[indices[slot - 1]!]!) slot--;
    if (slot >= k) continue;
    if (count < k) count++;
    for (let j = count - 1; j > slot; j--) indices[j] = indices[j - 1]!;
    indices[slot] = i;
  }
  indices.fill(-1, count);
  return count;
}

/**
 * All allowed experts, best first: `selectTopK` with k = experts.
 *
 * @param scores `[experts]`, no NaN, `-Infinity` = forbidden
 * @throws {ShapeError} if a score is NaN
 */
export function rank(scores: Scores): Int32Array {
  const indices = new Int32Array(scores.length);
  return indices.subarray(0, selectTopK(scores, indices));
}

/**
 * The one form in which every scale writes down who does what: ragged rows, as in a compressed sparse row matrix.
 * Top-k, top-p, null experts, expert choice, cascades and panels all fit it.
 */
import { ShapeError } from './errors.ts';

/**
 * Which experts each item goes to. Row `i` owns the entries `rowPtr[i] .. rowPtr[i + 1] - 1` of the other arrays,
 * in order of preference. Read-only for everybody but its builder.
 */
export interface Assignment {
  /** Number of items: tokens, or requests. */
  readonly rows: number;
  /** `[rows + 1]`, non-decreasing, starts at 0. */
  readonly rowPtr: Int32Array;
  /** `[entries]`, expert indices. */
  readonly expert: Int32Array;
  /** `[entries]`, combine weight of each entry, 0 or more. Never touched by a balance bias or a price. */
  readonly weight: Float32Array;
  /** `[entries]`, 1 where capacity took the entry away, else 0. */
  readonly dropped: Uint8Array;
}

/** Fills an assignment row by row. Grows by doubling; `reset` keeps the memory for the next batch. */
export interface AssignmentBuilder {
  /** Adds an entry to the current row. @param weight combine weight, 0 or more */
  push(expert: number, weight: number): void;
  /** Ends the current row, which may be empty, and begins the next. */
  endRow(): void;
  /**
   * The rows ended so far. The arrays are views of the builder's memory: copy them before `reset` to keep them.
   * @throws {ShapeError} if entries were pushed after the last `endRow`
   */
  seal(): Assignment;
  /** Forgets all rows and keeps the memory. Invalidates what `seal` returned. */
  reset(): void;
}

/**
 * A builder with room for `rows` rows and `entries` entries before it has to grow.
 */
export function assignmentBuilder({
  rows = 1,
  entries = 1,
}: {
  rows?: number;
  entries?: number;
} = {}): AssignmentBuilder {
  let rowPtr = new Int32Array(Math.max(1, rows) + 1);
  let expert = new Int32Array(Math.max(1, entries));
  let weight = new Float32Array(expert.length);
  let rowCount = 0;
  let entryCount = 0;

  return {
    push(expertIndex, entryWeight) {
      if (entryCount === expert.length) {
        expert = grow(expert, new Int32Array(entryCount * 2));
        weight = grow(weight, new Float32Array(entryCount * 2));
      }
      expert[entryCount] = expertIndex;
      weight[entryCount++] = entryWeight;
    },
    endRow() {
      if (rowCount + 1 === rowPtr.length) rowPtr = grow(rowPtr, new Int32Array(rowPtr.length * 2));
      rowPtr[++rowCount] = entryCount;
    },
    seal() {
      if (rowPtr[rowCount] !== entryCount) {
        throw new ShapeError(
          'assignment',
          'whole rows',
          `${entryCount - rowPtr[rowCount]!} entries in an open row`,
          'Call endRow() after the last push().',
        );
      }
      return {
        rows: rowCount,
        rowPtr: rowPtr.subarray(0, rowCount + 1),
        expert: expert.subarray(0, entryCount),
        weight: weight.subarray(0, entryCount),
        dropped: new Uint8Array(entryCount),
      };
    },
    reset() {
      rowCount = 0;
      entryCount = 0;
    },
  };
}

/**
 * How many entries each expert has, dropped ones left out.
 *
 * @param out `[experts]`, overwritten
 * @returns `out`
 */
export function expertLoad(assignment: Assignment, out: Float64Array): Float64Array {
  out.fill(0);
  const { expert, dropped } = assignment;
  for (let entry = 0; entry < expert.length; entry++) {
    if (dropped[entry] === 0) out[expert[entry]!]!++;
  }
  return out;
}

function grow<A extends Int32Array | Float32Array>(from: A, to: A): A {
  to.set(from);
  return to;
}

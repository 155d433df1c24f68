/**
 * Where the newest traces stand in the journal. A ring of numbers instead of objects: whatever is added per request and
 * lives for fifty thousand requests would otherwise grow old in the heap and swell it between two full collections.
 */
import { hashText } from '@gatewright/kernel';

/** A record's place in the journal. */
export interface Place {
  readonly segment: number;
  /** Bytes from the start of the segment. */
  readonly offset: number;
  /** Bytes, the newline included. */
  readonly length: number;
}

/** What is known of a trace. */
export interface IndexedTrace {
  readonly trace: Place;
  readonly bodies: Place | undefined;
  readonly feedback: readonly Place[];
}

/** Remembers the newest traces, in the order of the journal. */
export interface TraceIndex {
  /** @param bodies in the same segment as the trace */
  add(id: string, trace: Place, bodies: Place | undefined): void;
  addFeedback(id: string, feedback: Place): void;
  /** May, once in a very long time, give the place of another trace: compare the id of what is read there. */
  find(id: string): IndexedTrace | undefined;
  /** Places of the newest traces that stand before `end`, newest first. */
  newest(limit: number, end: Place | undefined): Place[];
  /** Forgets what stands in this segment and those before it. */
  forget(segment: number): void;
}

/** Fields of one entry. */
const HASH_A = 0;
const HASH_B = 1;
const SEGMENT = 2;
const OFFSET = 3;
const LENGTH = 4;
const BODIES_OFFSET = 5;
/** 0 where there are no bodies. */
const BODIES_LENGTH = 6;
const FIELDS = 7;

/**
 * An index of at most `capacity` traces; the oldest make room.
 */
export function traceIndex(capacity: number): TraceIndex {
  /** `[capacity, FIELDS]` */
  const entries = new Uint32Array(capacity * FIELDS);
  let next = 0;
  let count = 0;
  /** Few traces get feedback, so this may be objects; the oldest go first here too. */
  const feedbackOf = new Map<string, Place[]>();

  /** Position in `entries` of the entry that is `age` entries old, 0 for the newest. */
  const at = (age: number): number => ((next - 1 - age + capacity) % capacity) * FIELDS;

  return {
    add(id, trace, bodies) {
      const base = next * FIELDS;
      entries[base + HASH_A] = hashText(id);
      entries[base + HASH_B] = hashText(id, 1);
      entries[base + SEGMENT] = trace.segment;
      entries[base + OFFSET] = trace.offset;
      entries[base + LENGTH] = trace.length;
      entries[base + BODIES_OFFSET] = bodies?.offset ?? 0;
      entries[base + BODIES_LENGTH] = bodies?.length ?? 0;
      next = (next + 1) % capacity;
      count = Math.min(capacity, count + 1);
    },
    addFeedback(id, feedback) {
      const known = feedbackOf.get(id);
      if (known === undefined) feedbackOf.set(id, [feedback]);
      else known.push(feedback);
      if (feedbackOf.size > capacity) feedbackOf.delete(feedbackOf.keys().next().value!);
    },
    find(id) {
      const hashA = hashText(id);
      const hashB = hashText(id, 1);
      for (let age = 0; age < count; age++) {
        const base = at(age);
        if (entries[base + HASH_A] !== hashA || entries[base + HASH_B] !== hashB) continue;
        const segment = entries[base + SEGMENT]!;
        const bodiesLength = entries[base + BODIES_LENGTH]!;
        return {
          trace: placeAt(base),
          bodies:
            bodiesLength === 0 ? undefined : { segment, offset: entries[base + BODIES_OFFSET]!, length: bodiesLength },
          feedback: feedbackOf.get(id) ?? [],
        };
      }
      return undefined;
    },
    newest(limit, end) {
      const places: Place[] = [];
      for (let age = 0; age < count && places.length < limit; age++) {
        const place = placeAt(at(age));
        if (isBefore(place, end)) places.push(place);
      }
      return places;
    },
    forget(segment) {
      while (count > 0 && entries[at(count - 1) + SEGMENT]! <= segment) count--;
    },
  };

  function placeAt(base: number): Place {
    return { segment: entries[base + SEGMENT]!, offset: entries[base + OFFSET]!, length: entries[base + LENGTH]! };
  }
}

/** Whether a record stands before another one; every record stands before none. */
export function isBefore(place: Place, end: Place | undefined): boolean {
  return (
    end === undefined || place.segment < end.segment || (place.segment === end.segment && place.offset < end.offset)
  );
}

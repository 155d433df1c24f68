/**
 * Counters and histograms of the hot path. What is counted is found once, by its label values, and is then a number: the
 * library's own instruments check and join their labels at every count, which came to a twentieth of a request.
 */
import type { Metric, Registry } from 'prom-client';

interface InstrumentOptions {
  readonly name: string;
  readonly help: string;
  readonly labelNames: readonly string[];
  readonly registers: readonly Registry[];
}

/** What has one set of label values. */
interface Child {
  readonly labels: Readonly<Record<string, string>>;
}

/** A counter with labels. */
export interface FastCounter {
  /**
   * Counts.
   *
   * @param by 0 or more; anything else is left out
   * @param labels values, in the order of `labelNames`
   */
  add(by: number, ...labels: readonly string[]): void;
}

/** Creates a counter. */
export function fastCounter(options: InstrumentOptions): FastCounter {
  const children = childrenOf(options.labelNames, (labels) => ({ labels, value: 0 }));
  register(options, 'counter', () => [...children.all()].map(({ labels, value }) => ({ labels, value })));
  return {
    add(by, ...labels) {
      if (by >= 0 && by < Infinity) children.of(labels).value += by;
    },
  };
}

/** A histogram with labels. */
export interface FastHistogram {
  /**
   * Counts a value; one that is no finite number is left out.
   *
   * @param labels values, in the order of `labelNames`
   */
  observe(value: number, ...labels: readonly string[]): void;
}

/**
 * Creates a histogram.
 *
 * @param options.buckets upper bounds, ascending
 */
export function fastHistogram(options: InstrumentOptions & { readonly buckets: readonly number[] }): FastHistogram {
  const { name, buckets } = options;
  const children = childrenOf(options.labelNames, (labels) => ({
    labels,
    sum: 0,
    // The last one is of what exceeds all bounds.
    counts: new Float64Array(buckets.length + 1),
  }));
  register(options, 'histogram', () =>
    [...children.all()].flatMap(({ labels, sum, counts }) => {
      let below = 0;
      const lines = [...buckets, '+Inf'].map((le, bucket) => {
        below += counts[bucket]!;
        return { labels: { le, ...labels }, value: below, metricName: `${name}_bucket` };
      });
      return [
        ...lines,
        { labels, value: sum, metricName: `${name}_sum` },
        { labels, value: below, metricName: `${name}_count` },
      ];
    }),
  );
  return {
    observe(value, ...labels) {
      if (!Number.isFinite(value)) return;
      const child = children.of(labels);
      let bucket = 0;
      while (bucket < buckets.length && value > buckets[bucket]!) bucket++;
      child.counts[bucket]! += 1;
      child.sum += value;
    },
  };
}

/** Children by their label values, as a tree: nothing is joined to find one. */
function childrenOf<T extends Child>(
  labelNames: readonly string[],
  make: (labels: Readonly<Record<string, string>>) => T,
): { of(values: readonly string[]): T; all(): Iterable<T> } {
  type Node = Map<string, Node | T>;
  const root: Node = new Map();
  const made: T[] = [];
  const last = labelNames.length - 1;
  return {
    of(values) {
      let node = root;
      for (let i = 0; i < last; i++) {
        let next = node.get(values[i]!) as Node | undefined;
        if (next === undefined) {
          next = new Map();
          node.set(values[i]!, next);
        }
        node = next;
      }
      let child = node.get(values[last]!) as T | undefined;
      if (child === undefined) {
        child = make(Object.fromEntries(labelNames.map((name, i) => [name, values[i]!])));
        node.set(values[last]!, child);
        made.push(child);
      }
      return child;
    },
    all: () => made,
  };
}

function register(
  { name, help, labelNames, registers }: InstrumentOptions,
  type: 'counter' | 'histogram',
  values: () => object[],
): void {
  // As much of a metric as a registry reads.
  const metric = {
    name,
    help,
    type,
    labelNames,
    aggregator: 'sum',
    get: async () => ({ name, help, type, aggregator: 'sum', values: values() }),
  };
  for (const registry of registers) registry.registerMetric(metric as unknown as Metric<string>);
}

import { CHAIN_START, onlyOptions } from '@gatewright/kernel';
import type { Bodies, Feedback, StoredTrace, TraceStore } from './store.ts';

/** A store that forgets everything when the process ends, and the oldest traces above `keep`. For tests and trials. */
export function memory(options: { /** How many traces to keep. Default 10000. */ keep?: number } = {}): TraceStore {
  onlyOptions(options, ['keep']);
  const { keep = 10_000 } = options;
  const traces = new Map<string, StoredTrace & { feedback: Feedback[]; bodies: Bodies | undefined }>();
  let feedbackCount = 0;
  return {
    async addTrace(trace, bodies) {
      traces.set(trace.id, { trace, bodies, feedback: [] });
      if (traces.size > keep) traces.delete(traces.keys().next().value!);
    },
    async addFeedback(feedback) {
      traces.get(feedback.trace)?.feedback.push(feedback);
      feedbackCount++;
    },
    find: async (id) => traces.get(id),
    async list({ limit, before }) {
      const newestFirst = [...traces.values()].reverse().map(({ trace }) => trace);
      const start = before === undefined ? 0 : newestFirst.findIndex(({ id }) => id === before) + 1;
      return newestFirst.slice(start, start + limit);
    },
    stats: () => ({
      traces: traces.size,
      feedback: feedbackCount,
      bytes: 0,
      pendingBytes: 0,
      droppedBodies: 0,
      lostTraces: 0,
      failing: undefined,
      head: CHAIN_START,
    }),
    close: () => Promise.resolve(),
  };
}

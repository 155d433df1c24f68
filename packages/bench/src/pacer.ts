/** Says when requests are due, from a thread of its own: see `pacer-thread.ts`. */
import { Worker } from 'node:worker_threads';

/** Arrivals at even intervals: the i-th is due at `startAtMs + i * intervalMs` on the clock of `nowMs`. */
export interface Schedule {
  readonly startAtMs: number;
  readonly intervalMs: number;
  readonly count: number;
}

export interface Pacer {
  /**
   * Calls `onDue` with how many arrivals are due by now, each time that there are more.
   *
   * @returns calls the schedule off
   */
  pace(schedule: Schedule, onDue: (due: number) => void): () => void;
}

/** What the thread is told. */
export interface PacerOrder extends Schedule {
  readonly id: number;
  /** `[1]`, shared: the id of the schedule that runs, 0 for none. */
  readonly current: Int32Array<SharedArrayBuffer>;
}

/** A pacer with its thread running. One schedule at a time. */
export async function startPacer(): Promise<Pacer & { stop(): Promise<void> }> {
  const thread = new Worker(new URL('./pacer-thread.ts', import.meta.url));
  await new Promise<void>((resolve, reject) => {
    thread.once('online', resolve);
    thread.once('error', reject);
  });
  const current = new Int32Array(new SharedArrayBuffer(4));
  let lastId = 0;
  return {
    pace(schedule, onDue) {
      lastId += 1;
      const id = lastId;
      Atomics.store(current, 0, id);
      const listener = (message: { id: number; due: number }) => {
        if (message.id === id) onDue(message.due);
      };
      thread.on('message', listener);
      thread.postMessage({ ...schedule, id, current } satisfies PacerOrder);
      return () => {
        thread.off('message', listener);
        Atomics.compareExchange(current, 0, id, 0);
        Atomics.notify(current, 0);
      };
    },
    async stop() {
      Atomics.store(current, 0, 0);
      Atomics.notify(current, 0);
      await thread.terminate();
    },
  };
}

/**
 * The thread behind `pacer.ts`. It sleeps in `Atomics.wait`, whose timeout is exact to some tens of microseconds,
 * where a timer of the event loop is a millisecond coarse and late whenever the loop is busy.
 */
import { parentPort } from 'node:worker_threads';
import { nowMs } from './clock.ts';
import type { PacerOrder } from './pacer.ts';

parentPort!.on('message', ({ id, startAtMs, intervalMs, count, current }: PacerOrder) => {
  let posted = 0;
  // `current` changes when the schedule is called off.
  while (posted < count && Atomics.load(current, 0) === id) {
    const waitMs = startAtMs + posted * intervalMs - nowMs();
    if (waitMs > 0 && Atomics.wait(current, 0, id, waitMs) !== 'timed-out') break;
    const due = Math.min(count, Math.floor((nowMs() - startAtMs) / intervalMs) + 1);
    if (due <= posted) continue;
    posted = due;
    parentPort!.postMessage({ id, due });
  }
});

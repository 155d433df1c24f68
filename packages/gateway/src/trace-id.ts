/** Ids of traces: made here, and read here where their time helps to find them. */
import { randomBytes } from 'node:crypto';

/** `tr_`, nine digits of milliseconds, four or more of a counter, seven of the process; all in base 36. */
const TRACE_ID = /^tr_([0-9a-z]{9})[0-9a-z]{11,24}$/;

/**
 * A source of ids that sort by time: milliseconds, then a counter, then chance. Unique within a process by the counter and
 * across processes by the chance.
 */
export function traceIds(): (nowMs: number) => string {
  let lastMs = 0;
  let counter = 0;
  const own = randomBytes(4).readUInt32LE().toString(36).padStart(7, '0');
  return (nowMs) => {
    // A clock that steps back must not make ids that sort before older ones.
    if (nowMs > lastMs) {
      lastMs = nowMs;
      counter = 0;
    } else counter++;
    return `tr_${Math.floor(lastMs).toString(36).padStart(9, '0')}${counter.toString(36).padStart(4, '0')}${own}`;
  };
}

/** When the request of a trace had been read, milliseconds since 1970; undefined for what is no id of a trace. */
export function traceTimeMs(id: string): number | undefined {
  const match = TRACE_ID.exec(id);
  return match === null ? undefined : Number.parseInt(match[1]!, 36);
}

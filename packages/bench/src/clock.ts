/**
 * Milliseconds of the machine's monotonic clock. Unlike `performance.now()` it has the same origin in every thread and
 * process, so that a due time can be agreed on between them.
 */
export function nowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

import { GatewrightError } from '@gatewright/kernel';

/** Header with the milliseconds that a client gives its request. */
export const DEADLINE_HEADER = 'x-gw-timeout-ms';

const LONGEST_MS = 3_600_000;

/**
 * The milliseconds that a client gives its request, all calls, waits and retries together; undefined if it does not say. It
 * bounds what the configuration allows, and never extends it.
 *
 * @throws {GatewrightError} `GW_REQUEST_TYPE` if the header is no whole number of 1 to 3600000
 */
export function deadlineOf(
  headers: Readonly<Record<string, string | string[] | undefined>> | undefined,
): number | undefined {
  const text = headers?.[DEADLINE_HEADER];
  if (text === undefined) return undefined;
  const deadlineMs = typeof text === 'string' && /^\d{1,7}$/.test(text) ? Number(text) : 0;
  if (deadlineMs >= 1 && deadlineMs <= LONGEST_MS) return deadlineMs;
  throw new GatewrightError('GW_REQUEST_TYPE', `${DEADLINE_HEADER} is ${JSON.stringify(String(text).slice(0, 60))}.`, {
    path: DEADLINE_HEADER,
    fix: `Send whole milliseconds, 1 to ${LONGEST_MS}.`,
  });
}

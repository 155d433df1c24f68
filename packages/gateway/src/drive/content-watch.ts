import { ProviderFailure } from '../providers/failure.ts';
import type { DriveState, LiveCall } from './live-call.ts';

/** Where a configuration was built without one. */
const DEFAULT_FIRST_CONTENT_MS = 300_000;

/** Ends a stream that is alive but says nothing: pings, comments and roles keep a connection open for ever. */
export function watchContent({ options: { now } }: DriveState, call: LiveCall): void {
  const { firstContentMs = DEFAULT_FIRST_CONTENT_MS, idleMs } = call.expert.expert.timeouts;
  const check = (): void => {
    if (call.state !== 'running' && call.state !== 'open') return;
    const nowMs = now();
    // Who does not read is the client.
    if (call.heldUpSinceMs !== undefined || call.state === 'open') call.lastContentMs = nowMs;
    const since = call.lastContentMs ?? call.attemptStartedMs;
    const limitMs = call.lastContentMs === undefined ? firstContentMs : idleMs;
    const leftMs = since + limitMs - nowMs;
    if (leftMs > 0) {
      call.contentTimer = setTimeout(check, Math.ceil(leftMs));
      return;
    }
    call.stalled = new ProviderFailure(
      'GW_UPSTREAM_TIMEOUT',
      call.lastContentMs === undefined
        ? `No content came within ${limitMs} ms.`
        : `The answer went on without content for ${limitMs} ms.`,
      {
        fix: `Raise timeouts.${call.lastContentMs === undefined ? 'firstContentMs' : 'idleMs'}, or check the expert.`,
        elsewhere: true,
      },
    );
    call.running.cancel();
  };
  // One timer for both limits: whichever is shorter, at its end the other one is not over yet.
  call.contentTimer = setTimeout(check, Math.min(firstContentMs, idleMs));
}

/** What comes of a call, on its way to the client: held back, let through, or paused to be judged. */
import { ProviderFailure } from '../providers/failure.ts';
import type { ChatChunk } from '../wire/chat.ts';
import type { DriveState, LiveCall } from './live-call.ts';
import { readChunk } from './reading.ts';
import { type ShownEvent, shownEvent } from './shown.ts';

/** Of events that are held back for one call. A whole answer of 100,000 tokens takes half of it. */
const MOST_HELD_BYTES = 134_217_728;
/** Of an event beside its text, parsed: about so much heap for a small one. */
const EVENT_BYTES = 640;

/** One event of a call. @returns a promise while the client, or the composition, is waited for */
export function onChunk(state: DriveState, call: LiveCall, data: string, chunk: ChatChunk): void | Promise<void> {
  const { options } = state;
  const { now } = options;
  if (state.halt !== undefined) return undefined;
  call.firstChunk ??= chunk;
  const hasContent = readChunk(state, call, chunk);
  const nowMs = hasContent ? now() : 0;
  if (hasContent) call.lastContentMs = nowMs;
  if (call.stitch !== undefined) {
    const stitched = call.stitch(chunk);
    const shown = shownEvent(JSON.stringify(stitched), stitched, options.hide);
    if (hasContent) call.contentMs ??= nowMs - call.startedMs;
    return shown === undefined ? undefined : heldUp(state, call, options.delivery!.chunk(shown.data, shown.chunk));
  }
  const shown = shownEvent(data, chunk, options.hide);
  if (hasContent && call.contentMs === undefined) {
    call.contentMs = nowMs - call.startedMs;
    // May cancel the others of a race: only then is this one released, below.
    call.onContent?.();
  }
  if (!call.isReleased) {
    if (shown !== undefined && !hold(call, shown)) return undefined;
    if (call.releaseOnContent && hasContent && state.releasedRank < 0) return heldUp(state, call, release(state, call));
    if (Math.max(call.contentEvents, call.confidence.tokens) >= call.pauseAt) pause(call);
    // The time of the prefix may have run out between two chunks.
    return call.state === 'open' ? call.paused : undefined;
  }
  return shown === undefined ? undefined : heldUp(state, call, options.delivery!.chunk(shown.data, shown.chunk));
}

/** While the client catches up, nothing is expected of the expert. */
export function heldUp(
  { options: { now } }: DriveState,
  call: LiveCall,
  ready: void | Promise<void>,
): void | Promise<void> {
  if (ready === undefined) return undefined;
  call.heldUpSinceMs ??= now();
  return ready.then(() => {
    if (call.heldUpSinceMs === undefined) return;
    call.lastContentMs = now();
    call.heldUpMs += call.lastContentMs - call.heldUpSinceMs;
    call.heldUpSinceMs = undefined;
  });
}

/** Keeps an event until the client may see it. @returns false where there is no room for it: then the call ends */
function hold(call: LiveCall, event: ShownEvent): boolean {
  call.heldBytes += 2 * event.data.length + EVENT_BYTES;
  if (call.heldBytes > MOST_HELD_BYTES) {
    call.stalled ??= new ProviderFailure(
      'GW_UPSTREAM_TOO_LARGE',
      `The answer, held back until it is judged, takes more than ${MOST_HELD_BYTES} bytes.`,
      { fix: 'Set max_tokens, or judge a prefix (prefixTokens).', elsewhere: true },
    );
    call.held = [];
    call.running.cancel();
    return false;
  }
  call.held.push(event);
  return true;
}

/** The prefix is whole, or its time is over. */
export function pause(call: LiveCall): void {
  if (call.state !== 'running' || call.isReleased || call.prefixTokens !== undefined) return;
  call.state = 'open';
  call.prefixTokens = Math.max(call.contentEvents, call.confidence.tokens);
  call.prefixConfidence = call.confidence.value();
  const { promise, resolve } = Promise.withResolvers<void>();
  call.paused = promise;
  call.resume = resolve;
  call.onPause?.();
}

/** Lets the client see a call: what was held goes out first. */
export function release(state: DriveState, call: LiveCall, stated?: number): void | Promise<void> {
  const { options } = state;
  if (call.isReleased || state.releasedRank >= 0 || !options.stream) return undefined;
  state.releasedRank = call.rank;
  call.isReleased = true;
  options.delivery!.begin(
    call.expert,
    stated ?? (call.state === 'ok' ? call.confidence.value() : undefined),
    call.running.notCarried ?? [],
  );
  let wait: Promise<void> | undefined;
  for (const { data, chunk } of call.held)
    wait = (options.delivery!.chunk(data, chunk) as Promise<void> | undefined) ?? wait;
  call.held = [];
  return wait;
}

/** What a client may see of an answer: without the usage and the logprobs that only the gateway asked for. */
import type { DriveOptions } from '../drive.ts';
import type { ChatChunk, ChatCompletion, TokenLogprob } from '../wire/chat.ts';

/** An event as the client may see it. */
export interface ShownEvent {
  readonly data: string;
  readonly chunk: ChatChunk;
}

/** The event as the client may see it, or undefined if nothing is left of it. */
export function shownEvent(data: string, chunk: ChatChunk, hide: DriveOptions['hide']): ShownEvent | undefined {
  // With usage asked for, every other event says `"usage":null`: harmless, and not worth writing each event again.
  const hidesUsage = hide.usage && chunk.usage != null;
  if (hidesUsage && chunk.choices.length === 0) return undefined;
  const hidesLogprobs = hide.logprobs && chunk.choices.some((choice) => choice.logprobs != null);
  const trims = hide.topLogprobs !== undefined && chunk.choices.some((choice) => choice.logprobs != null);
  if (!hidesUsage && !hidesLogprobs && !trims) return { data, chunk };
  const { usage, ...rest } = chunk;
  const shown: ChatChunk = {
    ...rest,
    ...(hidesUsage || usage === undefined ? {} : { usage }),
    choices: hidesLogprobs
      ? chunk.choices.map((choice) => ({ ...choice, logprobs: null }))
      : trims
        ? withTopLogprobs(chunk, hide.topLogprobs!).choices
        : chunk.choices,
  };
  return { data: JSON.stringify(shown), chunk: shown };
}

/** A whole answer as the client may see it. */
export function shownCompletion(
  completion: { readonly data: string; readonly body: ChatCompletion },
  hide: DriveOptions['hide'],
): { readonly data: string; readonly body: ChatCompletion } {
  if (hide.logprobs) return written(withoutLogprobs(completion.body));
  return hide.topLogprobs === undefined ? completion : written(withTopLogprobs(completion.body, hide.topLogprobs));
}

/** The same answer with no more likely tokens per position than the client asked for. */
function withTopLogprobs<T extends { readonly choices: readonly { readonly logprobs?: unknown }[] }>(
  body: T,
  most: number,
): T {
  return {
    ...body,
    choices: body.choices.map((choice) => {
      const logprobs = choice.logprobs as { readonly content?: readonly TokenLogprob[] | null } | null | undefined;
      if (!Array.isArray(logprobs?.content)) return choice;
      return {
        ...choice,
        logprobs: {
          ...logprobs,
          content: logprobs.content.map((token: TokenLogprob | null) => ({
            ...token,
            top_logprobs: Array.isArray(token?.top_logprobs) ? token.top_logprobs.slice(0, most) : [],
          })),
        },
      };
    }),
  };
}

function withoutLogprobs(body: ChatCompletion): ChatCompletion {
  return { ...body, choices: body.choices.map((choice) => ({ ...choice, logprobs: null })) };
}

function written(body: ChatCompletion): { data: string; body: ChatCompletion } {
  return { data: JSON.stringify(body), body };
}

/** One sandbox expert asked without a gateway: for baselines and for offline replays. */
import { checkConfig } from './config/config.ts';
import { sandboxConfig } from './config/sandbox.ts';
import { priceUsd } from './cost.ts';
import { sandbox } from './providers/sandbox.ts';
import type { ChatCompletion } from './wire/chat.ts';

/** What an expert said, with what it cost at its declared price. */
export interface OfflineAnswer {
  readonly text: string;
  readonly costUsd: number;
  readonly completion: ChatCompletion;
}

/**
 * Asks a simulated expert at once, without the time it would take.
 *
 * @param seed of the call: the seed of the decision that the gateway would have made, so the answer is the same
 * @param logprobs ask for token logprobs, as a cascade does
 * @throws {UnknownNameError} if there is no such expert
 * @throws {ProviderFailure} what the expert fails with
 */
export async function answerOffline(
  expert: string,
  prompt: string,
  seed: number,
  logprobs = false,
): Promise<OfflineAnswer> {
  const provider = sandbox({ expert, realtime: false })({ timeouts: NO_TIMEOUTS, env: {}, shared: new Map() });
  const body = { model: expert, messages: [{ role: 'user', content: prompt }], logprobs };
  const { completion, usage } = await provider.start(
    { body, stream: false, traceId: 'offline', seed },
    { onChunk() {} },
  ).answer;
  const settings = SETTINGS.experts.find(({ id }) => id === expert)!;
  return {
    text: completion!.body.choices[0]?.message.content ?? '',
    costUsd: priceUsd(settings, {
      promptTokens: usage!.prompt_tokens,
      completionTokens: usage!.completion_tokens,
    }),
    completion: completion!.body,
  };
}

const SETTINGS = checkConfig(sandboxConfig());
const NO_TIMEOUTS = { connectMs: 0, firstByteMs: 0, idleMs: 0, totalMs: 0 };

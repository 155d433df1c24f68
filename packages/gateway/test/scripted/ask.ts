/** One call of a provider without a gateway around it. For tests. */

import { ProviderFailure } from '../../src/providers/failure.ts';
import type { ConnectProvider, ProviderAnswer } from '../../src/providers/provider.ts';
import type { ChatChunk, ChatCompletion, ChatRequest } from '../../src/wire/chat.ts';

/** What came of a call. */
export interface Asked {
  readonly chunks: ChatChunk[];
  /** JSON texts of the chunks. */
  readonly texts: string[];
  readonly answer: ProviderAnswer | undefined;
  readonly failure: ProviderFailure | undefined;
  readonly notCarried: readonly string[];
}

const TIMEOUTS = { connectMs: 1_000, firstByteMs: 2_000, idleMs: 2_000, totalMs: 8_000 };
export const TRACE_ID = 'tr_0000000000000abc1234';

/** Asks once. Throws only if the provider fails with anything but a `ProviderFailure`. */
export async function ask(
  connect: ConnectProvider,
  body: Omit<ChatRequest, 'model'>,
  { stream = false, env = {} }: { stream?: boolean; env?: Record<string, string> } = {},
): Promise<Asked> {
  const provider = connect({ timeouts: TIMEOUTS, env, shared: new Map() });
  const chunks: ChatChunk[] = [];
  const texts: string[] = [];
  const request = { model: 'gw/test', ...body } as ChatRequest;
  const running = provider.start(
    { body: request, stream, traceId: TRACE_ID, seed: 7 },
    {
      onChunk(data, chunk) {
        texts.push(data);
        chunks.push(chunk);
      },
    },
  );
  let answer: ProviderAnswer | undefined;
  let failure: ProviderFailure | undefined;
  try {
    answer = await running.answer;
  } catch (error) {
    if (!(error instanceof ProviderFailure)) throw error;
    failure = error;
  }
  await provider.close();
  return { chunks, texts, answer, failure, notCarried: running.notCarried ?? [] };
}

/** The one choice of a whole answer. */
export function choiceOf({ answer }: Asked): ChatCompletion['choices'][number] {
  return answer!.completion!.body.choices[0]!;
}

/** Deltas put together as clients do it: texts joined, calls by their index. */
export function joined(chunks: readonly ChatChunk[]): {
  content: string;
  reasoning: string;
  finish: (string | null | undefined)[];
  calls: { id: string; name: string; arguments: string; extra?: unknown }[];
} {
  const said = { content: '', reasoning: '', finish: [] as (string | null | undefined)[], calls: [] as never[] };
  const calls = said.calls as { id: string; name: string; arguments: string; extra?: unknown }[];
  for (const chunk of chunks) {
    for (const { delta, finish_reason: finish } of chunk.choices) {
      if (typeof delta.content === 'string') said.content += delta.content;
      if (typeof delta['reasoning_content'] === 'string') said.reasoning += delta['reasoning_content'];
      if (finish != null) said.finish.push(finish);
      for (const call of (delta['tool_calls'] ?? []) as Record<string, never>[]) {
        const index = call['index']! as number;
        calls[index] ??= { id: '', name: '', arguments: '' };
        const known = calls[index];
        known.id += call['id'] ?? '';
        known.name += call['function']!['name'] ?? '';
        known.arguments += call['function']!['arguments'] ?? '';
        if (call['extra_content'] !== undefined) known.extra = call['extra_content'];
      }
    }
  }
  return { ...said, calls };
}

/**
 * Who answered last in which conversation, for policies that stay where a prompt is cached (`sticky`). Bounded; forgotten
 * when the process ends: the worst that comes of it is one prompt read without a cache.
 */
import { hash } from 'node:crypto';
import type { RequestFacts } from '@gatewright/kernel';
import { priceUsd } from './cost.ts';
import type { LiveExpert } from './experts.ts';
import { type ChatMessage, type ChatRequest, messageText } from './wire/chat.ts';

/** What is remembered of a conversation. */
export interface Session {
  readonly expert: string;
  /** Of its last answer: so much of the next prompt may lie in a cache. */
  readonly promptTokens: number;
  /** When it was answered last, milliseconds since 1970. */
  readonly atMs: number;
}

/** The memory. */
export interface SessionMemory {
  of(key: string): Session | undefined;
  /** The session is the newest from now on; the oldest go when there is no room. */
  remember(key: string, session: Session): void;
  readonly count: number;
}

/**
 * Key, three fields and their place in a `Map`: about 206 bytes of heap for one, measured over a million of them
 * (`process.memoryUsage().heapUsed` after a collection, Node 24.21, 2026-11-22); rounded up.
 */
const BYTES_EACH = 256;
/**
 * Providers keep prompts for five to ten minutes after their last use (OpenAI, Anthropic, by their documentation): what is
 * older is taken for cold, and leaving costs nothing.
 */
const CACHE_KEPT_MS = 300_000;
/** More of an opening does not tell conversations apart any better. */
const OPENING_CHARACTERS = 4_096;

/** @param maxBytes about so much memory at most */
export function sessionMemory(maxBytes: number): SessionMemory {
  const most = Math.max(1, Math.floor(maxBytes / BYTES_EACH));
  // The order of a Map is that of insertion: the first is the oldest.
  const sessions = new Map<string, Session>();
  return {
    of: (key) => sessions.get(key),
    remember(key, session) {
      sessions.delete(key);
      sessions.set(key, session);
      if (sessions.size > most) sessions.delete(sessions.keys().next().value!);
    },
    get count() {
      return sessions.size;
    },
  };
}

/**
 * What tells a conversation from others, as a digest: what the client calls it (`x-gw-session`), else its
 * `prompt_cache_key`, else its opening (the system's and the user's first message) and its user. Conversations of the same
 * opening are one: their cached beginning is the same.
 *
 * @param owner whose conversation it is: nobody steers another key's
 * @param named `x-gw-session`
 */
export function sessionKey(
  request: ChatRequest,
  owner: string,
  named: string | undefined,
  user: string | undefined,
): string {
  const cacheKey = request['prompt_cache_key'];
  const said =
    named !== undefined
      ? `named\0${named}`
      : typeof cacheKey === 'string' && cacheKey !== ''
        ? `cache\0${cacheKey}`
        : `opening\0${user ?? ''}\0${openingOf(request.messages)}`;
  return hash('sha256', `${owner}\0${said}`, 'hex').slice(0, 24);
}

function openingOf(messages: readonly ChatMessage[]): string {
  const parts: string[] = [];
  for (const message of messages) {
    parts.push(`${message.role}\0${messageText(message).slice(0, OPENING_CHARACTERS)}`);
    if (message.role === 'user') break;
  }
  return parts.join('\0');
}

/**
 * What a policy is told of the session.
 *
 * @param live its expert, if it is still there
 * @param promptTokens of the request, estimated
 */
export function sessionFacts(
  session: Session,
  live: LiveExpert | undefined,
  request: ChatRequest,
  promptTokens: number,
  nowMs: number,
): NonNullable<RequestFacts['session']> {
  const cachedTokens = nowMs - session.atMs > CACHE_KEPT_MS ? 0 : Math.min(session.promptTokens, promptTokens);
  const costOf = (cached: number): number =>
    live === undefined ? 0 : priceUsd(live.expert, { promptTokens, completionTokens: 0, cachedTokens: cached });
  return {
    expert: session.expert,
    switchCostUsd: Math.max(0, costOf(0) - costOf(cachedTokens)),
    awaitsTools: request.messages.at(-1)?.role === 'tool',
  };
}

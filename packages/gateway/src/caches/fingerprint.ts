/** What makes two requests the same request: everything but what cannot change the answer. */
import { hash } from 'node:crypto';
import type { RequestHints } from '../features/hints.ts';
import type { Principal } from '../identity/principal.ts';
import type { ChatRequest } from '../wire/chat.ts';
import type { CacheScope } from './cache.ts';

/** How an answer is delivered, for whom, and how it is filed; the answer is the same. */
const BESIDE_THE_ANSWER = new Set([
  'stream',
  'stream_options',
  'user',
  'metadata',
  'store',
  'safety_identifier',
  'prompt_cache_key',
  'prompt_cache_retention',
]);

/**
 * SHA-256 over the request as JSON, hex: names in order at the top, without nulls there, and in the messages. Elsewhere names stand as they
 * were sent: experts write an object in the order in which its schema names the fields, so that is another question.
 *
 * Unknown fields count: they may change the answer. So does the configuration: another pool may answer otherwise. Pieces that
 * keep what they were in a format of their own count with it.
 *
 * @param scope whose answers may be given, see `scopeOf`
 * @param configHash of the configuration in force
 * @returns undefined where the request is nested too deeply to be written: it is not cached
 */
export function fingerprint(
  request: ChatRequest,
  hints: RequestHints | undefined,
  seed: number | undefined,
  scope: string,
  configHash: string,
): string | undefined {
  try {
    let text = `${JSON.stringify(scope)}\n${configHash}\n`;
    for (const name of Object.keys(request).sort()) {
      const value = request[name];
      if (BESIDE_THE_ANSWER.has(name) || value == null) continue;
      text += `${JSON.stringify(name)}:${canonicalJson(value, name === 'messages')}\n`;
    }
    // What only the client's own format can say (`wire/origin.ts`) may change the answer too.
    for (const symbol of Object.getOwnPropertySymbols(request))
      text += `${String(symbol)}:${canonicalJson((request as unknown as Record<symbol, unknown>)[symbol], false)}\n`;
    if (hints !== undefined) {
      const { task, groups, flags, hardFlags, requires } = hints;
      text += `hints:${canonicalJson({ task, groups, flags, hardFlags: [...hardFlags].sort(), requires })}\n`;
    }
    if (seed !== undefined) text += `seed:${seed}`;
    return hash('sha256', text, 'hex');
  } catch (error) {
    // JSON.parse takes deeper nesting than a walk over it.
    if (error instanceof RangeError) return undefined;
    throw error;
  }
}

/** Names the scope of a request. A key without a project has a scope of its own where the project is asked for. */
export function scopeOf(scope: CacheScope, { keyId, keyDigest, project }: Principal): string {
  if (scope === 'gateway') return 'gateway';
  if (scope === 'project' && project !== undefined) return `project ${project}`;
  // All keys of the environment share one id; virtual keys keep theirs when they are rotated.
  return keyId === 'static' ? `key ${keyDigest}` : `key ${keyId}`;
}

/**
 * JSON, with what stands under symbols too. What JSON leaves out, such as undefined, is left out.
 *
 * @param sorts whether the names of every object are put in order
 */
export function canonicalJson(value: unknown, sorts = true): string {
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  let text = '';
  if (Array.isArray(value)) {
    for (const item of value) text += `${text === '' ? '' : ','}${canonicalJson(item, sorts)}`;
    return `[${text}]`;
  }
  const names = Object.keys(value);
  for (const name of sorts ? names.sort() : names) {
    const field = (value as Record<string, unknown>)[name];
    if (field !== undefined) text += `${text === '' ? '' : ','}${JSON.stringify(name)}:${canonicalJson(field, sorts)}`;
  }
  for (const symbol of Object.getOwnPropertySymbols(value))
    text += `,${String(symbol)}:${canonicalJson((value as Record<symbol, unknown>)[symbol], sorts)}`;
  return `{${text}}`;
}

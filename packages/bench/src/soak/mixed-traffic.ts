/** The traffic of a mixed soak: formats, streams, faults and clients that leave, in fixed shares by number. */

import type { Agent } from 'node:http';
import { request as httpRequest } from 'node:http';
import { ANSWER_TEXT } from '../traffic.ts';

/** One kind of request. */
export interface SoakKind {
  readonly name: string;
  readonly path: string;
  readonly body: (serial: number) => object;
  /** Leave after the first bytes of the answer. */
  readonly leaves?: boolean;
  /** Whether an answer is one that is to be expected. */
  readonly isRight: (status: number, text: string) => boolean;
}

const messages = (serial: number): object[] => [
  { role: 'user', content: `Request ${serial}. What does a gateway do?` },
];
const chat = (name: string, model: string, more: object, isRight: SoakKind['isRight'], leaves = false): SoakKind => ({
  name,
  path: '/v1/chat/completions',
  body: (serial) => ({ model, messages: messages(serial), max_tokens: 400, ...more }),
  isRight,
  leaves,
});
const isWhole: SoakKind['isRight'] = (status, text) =>
  status === 200 && text.includes(JSON.stringify(ANSWER_TEXT).slice(1, -1));
const isWholeStream: SoakKind['isRight'] = (status, text) => status === 200 && text.endsWith('data: [DONE]\n\n');
const isEnded: SoakKind['isRight'] = (status, text) =>
  status === 200 && (text.endsWith('data: [DONE]\n\n') || text.includes('"error":'));

/** Twenty requests in turn: 12 whole, 6 streamed, one that breaks off, one whose client leaves; three formats. */
export const SOAK_KINDS: readonly SoakKind[] = [
  ...Array.from({ length: 7 }, () => chat('chat', 'gw/good', {}, isWhole)),
  chat('chat with fallback', 'gw/flaky', {}, isWhole),
  chat('chat with fallback', 'gw/flaky', {}, isWhole),
  ...Array.from({ length: 4 }, () => chat('chat stream', 'gw/good', { stream: true }, isWholeStream)),
  chat('chat stream with fallback', 'gw/flaky', { stream: true }, isWholeStream),
  chat('chat stream that breaks', 'gw/breaks', { stream: true }, isEnded),
  chat('chat stream whose client leaves', 'gw/endless', { stream: true }, (status) => status === 200, true),
  {
    name: 'messages',
    path: '/v1/messages',
    body: (serial) => ({ model: 'gw/good', max_tokens: 400, messages: messages(serial) }),
    isRight: isWhole,
  },
  {
    name: 'messages stream',
    path: '/v1/messages',
    body: (serial) => ({ model: 'gw/good', max_tokens: 400, stream: true, messages: messages(serial) }),
    isRight: (status, text) => status === 200 && text.includes('event: message_stop'),
  },
  {
    name: 'responses',
    path: '/v1/responses',
    body: (serial) => ({ model: 'gw/good', input: `Request ${serial}. What does a gateway do?` }),
    isRight: isWhole,
  },
  {
    name: 'unknown model',
    path: '/v1/chat/completions',
    body: (serial) => ({ model: 'gw/none', messages: messages(serial) }),
    isRight: (status) => status === 404,
  },
];

/** Sends one request. Never rejects. @returns undefined where it ended as it should, else what was seen */
export function sendSoakRequest(
  agent: Agent,
  port: number,
  kind: SoakKind,
  serial: number,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const payload = Buffer.from(JSON.stringify(kind.body(serial)));
    const request = httpRequest(
      {
        agent,
        host: '127.0.0.1',
        port,
        path: kind.path,
        method: 'POST',
        headers: { 'content-type': 'application/json', 'content-length': payload.length },
      },
      (response) => {
        const status = response.statusCode ?? 0;
        if (kind.leaves === true) {
          response.once('data', () => {
            response.destroy();
            resolve(kind.isRight(status, '') ? undefined : `${kind.name}: ${status}`);
          });
          response.on('error', () => {});
          response.once('end', () => resolve(`${kind.name}: ended ${status}`));
          return;
        }
        let text = '';
        response.setEncoding('utf8');
        response.on('data', (part: string) => {
          text += part;
        });
        response.on('end', () =>
          resolve(kind.isRight(status, text) ? undefined : `${kind.name}: ${status} ${text.slice(-120)}`),
        );
        response.on('error', (error) => resolve(`${kind.name}: ${error.message}`));
      },
    );
    request.setTimeout(20_000, () => request.destroy(new Error('no end within 20 s')));
    request.on('error', (error) => resolve(`${kind.name}: ${error.message}`));
    request.end(payload);
  });
}

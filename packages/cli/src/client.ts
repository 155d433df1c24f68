/** A small client of the gateway for the commands: plain HTTP, so that it sees headers and trailers. */
import { request } from 'node:http';
import { GatewrightError } from '@gatewright/kernel';

/** An answer with what the gateway said of it. */
export interface ClientAnswer {
  readonly text: string;
  readonly expert: string;
  readonly trace: string;
  readonly costUsd: number;
  /** Tells the gateway whether the answer was right. */
  feedback(isCorrect: boolean): Promise<void>;
}

/** Where the gateway is: the option, GATEWRIGHT_URL, or the usual place. */
export function requestUrl(option: string | undefined, env: Readonly<Record<string, string | undefined>>): string {
  const url = option ?? env['GATEWRIGHT_URL'] ?? 'http://127.0.0.1:4180';
  if (!URL.canParse(url) || new URL(url).protocol !== 'http:') {
    throw new GatewrightError('GW_USAGE', `${JSON.stringify(url)} is not an http URL.`, {
      fix: 'For example http://127.0.0.1:4180.',
    });
  }
  return url.replace(/\/+$/, '').replace(/\/v1$/, '');
}

/**
 * Sends a chat request and reads the whole answer.
 *
 * @throws {GatewrightError} with the gateway's own code, or `GW_UNREACHABLE`
 */
export async function sendChat(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
  body: { readonly stream: boolean; readonly [field: string]: unknown },
  headers: Readonly<Record<string, string>> = {},
): Promise<ClientAnswer> {
  const reply = await post(`${url}/v1/chat/completions`, env, body, headers);
  if (reply.status !== 200) throw refusal(reply);
  const trace = reply.headers['x-gw-trace'] ?? '';
  return {
    text: body.stream ? streamedText(reply.text) : wholeText(reply.text),
    expert: reply.headers['x-gw-expert'] ?? '',
    trace,
    costUsd: Number(reply.headers['x-gw-cost-usd'] ?? 0),
    async feedback(isCorrect) {
      const answer = await post(`${url}/v1/feedback`, env, { trace, correct: isCorrect, source: 'verifier' });
      if (answer.status !== 200) throw refusal(answer);
    },
  };
}

interface Reply {
  readonly status: number;
  /** Headers and trailers. */
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
}

function post(
  url: string,
  env: Readonly<Record<string, string | undefined>>,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Reply> {
  const key = env['GATEWRIGHT_API_KEY']?.split(',')[0];
  return new Promise((resolve, reject) => {
    const outgoing = request(
      url,
      {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
          ...headers,
        },
      },
      (incoming) => {
        incoming.setEncoding('utf8');
        let text = '';
        incoming.on('data', (part: string) => {
          text += part;
        });
        incoming.on('end', () =>
          resolve({
            status: incoming.statusCode ?? 0,
            headers: { ...(incoming.headers as Record<string, string>), ...incoming.trailers },
            text,
          }),
        );
        incoming.on('error', (cause) => reject(unreachable(url, cause)));
      },
    );
    outgoing.on('error', (cause) => reject(unreachable(url, cause)));
    outgoing.end(JSON.stringify(body));
  });
}

function refusal({ status, text }: Reply): GatewrightError {
  try {
    const { error } = JSON.parse(text) as { error: { message: string; code: string } };
    return new GatewrightError(error.code, error.message, { fix: '' });
  } catch {
    return new GatewrightError('GW_UNREACHABLE', `The gateway answered ${status}.`, { fix: 'See its log.' });
  }
}

function unreachable(url: string, cause: Error): GatewrightError {
  return new GatewrightError('GW_UNREACHABLE', `${new URL(url).origin} does not answer: ${cause.message}.`, {
    fix: 'Start the gateway (npm start), or name it with --url.',
    cause,
  });
}

function wholeText(text: string): string {
  return (JSON.parse(text) as { choices: { message: { content: string | null } }[] }).choices[0]?.message.content ?? '';
}

function streamedText(text: string): string {
  let content = '';
  let isDone = false;
  for (const line of text.split('\n')) {
    if (!line.startsWith('data: ')) continue;
    const data = line.slice(6);
    if (data === '[DONE]') {
      isDone = true;
      continue;
    }
    const chunk = JSON.parse(data) as {
      error?: { message: string; code: string };
      choices?: { delta: { content?: string | null } }[];
    };
    if (chunk.error !== undefined) throw new GatewrightError(chunk.error.code, chunk.error.message, { fix: '' });
    content += chunk.choices?.[0]?.delta.content ?? '';
  }
  if (!isDone)
    throw new GatewrightError('GW_UPSTREAM_TRUNCATED', 'The stream ended without [DONE].', { fix: 'Ask again.' });
  return content;
}

/**
 * Asks a gateway for JSON.
 *
 * @throws {GatewrightError} with the gateway's own code, or `GW_UNREACHABLE`
 */
export async function getJson(url: string, env: Readonly<Record<string, string | undefined>>): Promise<unknown> {
  const key = env['GATEWRIGHT_API_KEY']?.split(',')[0];
  let response: Response;
  try {
    response = await fetch(url, { headers: key === undefined ? {} : { authorization: `Bearer ${key}` } });
  } catch (error) {
    throw unreachable(url, error instanceof Error ? error : new Error(String(error)));
  }
  const text = await response.text();
  if (!response.ok) throw refusal({ status: response.status, headers: {}, text });
  return JSON.parse(text);
}

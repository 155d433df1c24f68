/**
 * The canary: secrets of every kind go through a gateway that is used, misused and managed, and every byte that comes out of it
 * is searched for them. Keys that are canaries look like no known key where they can: only knowing them hides them.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openIdentity } from '../src/identity/administration.ts';
import { lineLog } from '../src/log-lines.ts';
import { openBook } from '../src/money/book.ts';
import { journal } from '../src/stores/journal.ts';
import { fileResponses } from '../src/stores/responses.ts';
import { fileStates } from '../src/stores/states.ts';
import { chatBody, expertAt, pool, startGateway, until } from './helpers.ts';

/** Something that came out of the gateway. */
export interface Produced {
  /** Where, in words. */
  readonly what: string;
  readonly bytes: Buffer;
}

/** A secret that must be nowhere in what was produced, or only where `allowed` says. */
export interface Canary {
  readonly name: string;
  readonly secret: string;
  /** The one place where it may stand. */
  readonly allowed?: string;
}

/** What a run came to. */
export interface CanaryRun {
  readonly canaries: readonly Canary[];
  readonly produced: readonly Produced[];
  /** Statuses of the answers, by place: proof that the paths were walked. */
  readonly statuses: Readonly<Record<string, number>>;
}

/** A find. */
export interface Leak {
  readonly canary: string;
  readonly form: string;
  readonly where: string;
}

/** A secret as it may be written down: plain, or in an encoding that anybody can undo. */
export function formsOf(secret: string): Readonly<Record<string, string>> {
  const bytes = Buffer.from(secret);
  const json = JSON.stringify(secret).slice(1, -1);
  const each = (form: (code: number) => string): string => [...bytes].map(form).join('');
  const hex = (code: number): string => code.toString(16).padStart(2, '0');
  // Within a longer text base64 depends on where the secret begins; its middle does not.
  const base64At = (offset: number): string =>
    Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '')
      .slice(offset === 0 ? 0 : 4, -2);
  const forms: Record<string, string> = {
    plain: secret,
    'its second half': secret.slice(Math.floor(secret.length / 2)),
    'JSON-escaped': json,
    'JSON-escaped with slashes': json.replaceAll('/', '\\/'),
    'JSON-escaped whole': each((code) => `\\u00${hex(code)}`),
    'URL-encoded': encodeURIComponent(secret),
    'URL-encoded whole': each((code) => `%${hex(code)}`),
    'URL-encoded whole, upper case': each((code) => `%${hex(code).toUpperCase()}`),
    hex: bytes.toString('hex'),
    'hex, upper case': bytes.toString('hex').toUpperCase(),
  };
  for (const offset of [0, 1, 2]) {
    forms[`base64 at ${offset}`] = base64At(offset);
    forms[`base64url at ${offset}`] = base64At(offset).replaceAll('+', '-').replaceAll('/', '_');
  }
  return forms;
}

/** Searches everything for every secret in every form. */
export function leaksIn(produced: readonly Produced[], canaries: readonly Canary[]): Leak[] {
  const leaks: Leak[] = [];
  for (const { name, secret, allowed } of canaries)
    for (const [form, text] of Object.entries(formsOf(secret)))
      for (const { what, bytes } of produced)
        if (what !== allowed && bytes.includes(text)) leaks.push({ canary: name, form, where: what });
  return leaks;
}

const PROVIDER_KEY = 'prov/CANARY+9f8e7d6c5b4a3210=zq';
const STATIC_KEY = 'static/CANARY+0a1b2c3d4e5f6a7b=xw';
const VERIFIER_KEY = 'verify/CANARY+1122334455667788=vu';
const ADMIN_TOKEN = 'admin/CANARY+99aabbccddeeff00=ts';
const COLLECTOR_KEY = 'collect/CANARY+fedcba9876543210=nm';
const BYSTANDER = 'bystander/CANARY+cafebabedeadbeef=rq';
/** Keys that nobody knows, sent by mistake: they belong to somebody all the same. */
const STRANGER_KEY = 'stranger/CANARY+0011223344556677=po';

/** Runs a gateway through success and failure with a secret of every kind, and gathers what came out. */
export async function runCanary(): Promise<CanaryRun> {
  const folder = mkdtempSync(join(tmpdir(), 'gw-canary-'));
  const expert = await echoingExpert();
  const produced: Produced[] = [];
  const statuses: Record<string, number> = {};
  const keep = (what: string, bytes: Buffer | string): void => void produced.push({ what, bytes: Buffer.from(bytes) });

  const collector = await server((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      keep('spans', Buffer.concat(parts));
      response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    });
  });
  const store = journal({ directory: folder });
  const identity = openIdentity(folder);
  const gate = await startGateway(
    {
      ...pool(
        expertAt('one', `${expert.url}/v1`, {}, { apiKeyEnv: 'UP_KEY' }),
        expertAt('two', `${expert.url}/v1`, {}, { apiKeyEnv: 'UP_KEY' }),
        expertAt('vectors', `${expert.url}/v1`, { kind: 'embedding' }, { apiKeyEnv: 'UP_KEY' }),
      ),
      logs: { requests: true },
      telemetry: { otlp: { url: `${collector.url}/v1/traces`, headersEnv: 'OTLP_HEADERS' } },
      storage: { directory: folder, bodies: true },
      admin: { port: 0 },
    },
    {
      store,
      states: fileStates(join(folder, 'estimators')),
      identity,
      book: openBook(join(folder, 'ledger.sqlite')),
      responses: fileResponses(join(folder, 'responses.sqlite')),
      env: {
        UP_KEY: PROVIDER_KEY,
        GATEWRIGHT_API_KEY: STATIC_KEY,
        GATEWRIGHT_VERIFIER_KEY: VERIFIER_KEY,
        GATEWRIGHT_ADMIN_TOKEN: ADMIN_TOKEN,
        OTLP_HEADERS: `x-collector=${encodeURIComponent(COLLECTOR_KEY)}`,
        BYSTANDER,
      },
    },
  );
  const { adminUrl } = gate.server;
  let serial = 0;
  /** Sends a request and keeps every byte of the answer. */
  const ask = async (
    method: string,
    url: string,
    key: string | undefined,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<{ what: string; status: number; text: string; headers: Record<string, unknown> }> => {
    const { pathname } = new URL(url);
    const what =
      `${++serial} ${method} ${url.startsWith(adminUrl!) ? 'admin ' : ''}${pathname} ${subjectOf(body)}`.trim();
    const answer = await exchange(
      method,
      url,
      {
        ...(key === undefined ? {} : { authorization: `Bearer ${key}` }),
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      body === undefined ? undefined : JSON.stringify(body),
    );
    keep(what, answer.bytes);
    statuses[what] = answer.status;
    return { what, ...answer };
  };

  const created = await ask('POST', `${adminUrl}/admin/v1/keys`, ADMIN_TOKEN, {
    name: 'canary',
    roles: ['use', 'admin'],
  });
  const { key, id } = JSON.parse(created.text) as { key: string; id: string };
  const second = await ask('POST', `${adminUrl}/admin/v1/keys`, key, {
    name: 'limited',
    scopes: ['models'],
    models: ['one'],
  });
  const limited = (JSON.parse(second.text) as { key: string; id: string }).key;

  const api = `${gate.url}/v1`;
  let trace = '';
  for (const each of [key, STATIC_KEY, VERIFIER_KEY])
    for (const stream of [false, true])
      for (const says of SAYINGS) {
        const answer = await ask('POST', `${api}/chat/completions`, each, chatBody('gw/first', { stream }, says));
        if (says === 'fine' && typeof answer.headers['x-gw-trace'] === 'string') trace = answer.headers['x-gw-trace'];
      }
  for (const each of [key, STATIC_KEY])
    for (const stream of [false, true])
      for (const says of SAYINGS) {
        await ask('POST', `${api}/messages`, each, { ...chatBody('gw/first', { stream, max_tokens: 9 }, says) });
        await ask('POST', `${api}/responses`, each, { model: 'gw/first', input: says, stream });
      }
  for (const each of [key, STATIC_KEY])
    for (const says of SAYINGS) await ask('POST', `${api}/embeddings`, each, { model: 'vectors', input: says });
  // Breakers may be open by now: everything else does not need an expert.
  for (const each of [key, STATIC_KEY, VERIFIER_KEY]) {
    await ask('POST', `${api}/route`, each, chatBody('gw/first'));
    await ask('POST', `${api}/feedback`, each, { trace, correct: true, source: 'verifier', user: 'ada' });
    await ask('PUT', `${api}/preferences?user=ada`, each, { quality_weight: 0.5 });
    await ask('POST', `${api}/chat/completions`, each, chatBody('gw/none'));
    await ask('POST', `${api}/chat/completions`, each, { model: 7 });
    for (const path of ['models', 'traces', `traces/${trace}`, 'status', 'nothing', 'usage'])
      await ask('GET', `${api}/${path}`, each);
    await ask('GET', `${gate.url}/metrics`, each);
    await ask('GET', `${api}/models?api_key=${encodeURIComponent(each)}`, each);
    await ask('GET', `${api}/models`, undefined, undefined, { 'x-api-key': each });
  }
  for (const path of ['/', '/healthz', '/readyz']) await ask('GET', gate.url + path, key);
  await ask('POST', `${api}/chat/completions`, limited, chatBody('two'));
  await ask('GET', `${api}/traces`, limited);
  for (const wrong of [STRANGER_KEY, `${key.slice(0, -1)}x`, `${STATIC_KEY}x`, ADMIN_TOKEN]) {
    await ask('GET', `${api}/models`, wrong);
    await ask('GET', `${adminUrl}/admin/v1/keys`, wrong);
    await ask('GET', `${api}/models`, undefined, undefined, { authorization: `Basic ${btoa(`user:${wrong}`)}` });
    await ask('GET', `${api}/models?key=${encodeURIComponent(wrong)}`, undefined);
    await ask('GET', `${api}/${encodeURIComponent(wrong)}`, key);
  }

  // Managing, also where it goes wrong; a manager who pastes a key into a note.
  const admin = `${adminUrl}/admin/v1`;
  await ask('GET', `${admin}/keys`, key);
  await ask('GET', `${admin}/keys/${id}`, ADMIN_TOKEN);
  await ask('GET', `${admin}/keys/${encodeURIComponent(key)}`, ADMIN_TOKEN);
  await ask('PATCH', `${admin}/keys/${id}`, ADMIN_TOKEN, { name: '' });
  await ask('GET', `${admin}/config`, ADMIN_TOKEN);
  await ask('POST', `${admin}/config/reload`, ADMIN_TOKEN, {});
  await ask('POST', `${admin}/experts/one/drain`, ADMIN_TOKEN, {});
  await ask('POST', `${admin}/experts/one/breaker/reset`, key, {});
  await ask('GET', `${admin}/keys`, limited);
  const rotated = await ask('POST', `${admin}/keys/${id}/rotate`, key, { overlapMs: 0 });
  const newer = (JSON.parse(rotated.text) as { key: string }).key;
  await ask('GET', `${api}/models`, key);
  await ask('GET', `${api}/models`, newer);
  await ask('POST', `${admin}/keys/${id}/revoke`, newer, {});
  await ask('GET', `${api}/models`, newer);
  await ask('GET', `${admin}/keys`, newer);
  await ask('GET', `${admin}/audit?limit=1000`, ADMIN_TOKEN);
  await ask('GET', `${api}/status`, STATIC_KEY);
  await ask('GET', `${gate.url}/metrics`, STATIC_KEY);
  keep('the metrics', await gate.gateway.metrics.text());

  await until(() => store.stats().pendingBytes === 0, 'the journal is written');
  for (const name of filesOf(folder)) keep(`file ${name} while it runs`, readFileSync(join(folder, name)));
  await gate.close();
  await Promise.all([expert.close(), collector.close()]);
  for (const name of filesOf(folder)) keep(`file ${name}`, readFileSync(join(folder, name)));
  keep('the log', gate.logs.map((line) => JSON.stringify(line)).join('\n'));
  for (const format of ['text', 'json'] as const) {
    const { log } = lineLog((line) => keep(`the log as ${format}`, line), { format });
    for (const { level, message, fields } of gate.logs) log(level as 'info', message, fields);
  }
  rmSync(folder, { recursive: true });

  return {
    canaries: [
      { name: "a provider's key", secret: PROVIDER_KEY },
      { name: 'a static key', secret: STATIC_KEY },
      { name: "a verifier's key", secret: VERIFIER_KEY },
      { name: 'the admin token', secret: ADMIN_TOKEN },
      { name: "the collector's key", secret: COLLECTOR_KEY },
      { name: 'a variable of the environment', secret: BYSTANDER },
      { name: "a stranger's key", secret: STRANGER_KEY },
      { name: 'a virtual key', secret: key, allowed: created.what },
      { name: 'a limited virtual key', secret: limited, allowed: second.what },
      { name: 'a rotated virtual key', secret: newer, allowed: rotated.what },
    ],
    produced,
    statuses,
  };
}

/** What the expert is told, hence what it does. All but the first say the key that they were sent with. */
const SAYINGS = [
  'fine',
  'echo 400',
  'echo 401',
  'echo 403',
  'echo 404',
  'echo 429',
  'echo 500',
  'echo text 500',
  'echo in a header',
  'echo as a type',
  'echo garbage',
  'echo encoded 400',
  'echo in a stream',
  'echo late in a stream',
];

/** An expert that says the key it was sent in every place where it can fail. */
function echoingExpert(): Promise<{ url: string; close(): Promise<void> }> {
  return server((request, response) => {
    let text = '';
    request.setEncoding('utf8');
    request.on('data', (part: string) => (text += part));
    request.on('end', () => echo(request, response, JSON.parse(text) as EchoBody));
  });
}

async function server(
  handle: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ url: string; close(): Promise<void> }> {
  const listening = createServer(handle);
  await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(listening.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        listening.close(() => resolve());
        listening.closeAllConnections();
      }),
  };
}

interface EchoBody {
  readonly stream?: boolean;
  readonly messages?: readonly { readonly content: string }[];
  /** Of a request for vectors. */
  readonly input?: string;
}

function echo(request: IncomingMessage, response: ServerResponse, { stream, messages, input }: EchoBody): void {
  const says = input ?? messages!.at(-1)!.content;
  const sent = request.headers.authorization ?? '';
  const key = sent.replace(/^Bearer /, '');
  const error = (message: string): string =>
    JSON.stringify({ error: { message, type: `denied ${key}`, param: key, code: key } });
  const json = { 'content-type': 'application/json' };
  const status = Number(/\d{3}$/.exec(says)?.[0] ?? 200);
  if (says.startsWith('echo encoded')) {
    const forms = Object.values(formsOf(key)).filter((form) => form.length === 0 || form !== key.slice(-form.length));
    response.writeHead(status, json).end(error(`Not these: ${forms.join(' , ')}`));
  } else if (says.startsWith('echo text'))
    response.writeHead(status, { 'content-type': 'text/plain' }).end(`bad key ${key} (${sent})`);
  else if (/^echo \d/.test(says)) {
    response
      .writeHead(status, {
        ...json,
        'x-request-id': key,
        'retry-after': '0',
        'www-authenticate': `Bearer realm="${key}"`,
      })
      .end(error(`Incorrect API key provided: ${key}. You sent ${sent}.`));
  } else if (says === 'echo in a header')
    response.writeHead(500, { ...json, 'x-your-key': key, server: key }).end('{}');
  else if (says === 'echo as a type')
    response.writeHead(200, { 'content-type': `text/html; charset="${key}"` }).end(key);
  else if (says === 'fine' && input !== undefined)
    response
      .writeHead(200, { ...json, 'x-your-key': key })
      .end('{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[0.5,1]}]}');
  else if (says === 'echo garbage') response.writeHead(200, json).end(`{"choices": ${key}`);
  else if (stream === true) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const chunk = (delta: object, finish: string | null = null): string =>
      `data: ${JSON.stringify({ id: 'c', object: 'chat.completion.chunk', created: 1, model: 'm', choices: [{ index: 0, delta, finish_reason: finish }] })}\n\n`;
    if (says === 'echo in a stream') response.end(`data: ${error(`no ${key}`)}\n\n`);
    else {
      response.write(chunk({ role: 'assistant', content: 'Well' }));
      response.end(
        says === 'echo late in a stream' ? `data: ${error(`no ${key}`)}\n\n` : `${chunk({}, 'stop')}data: [DONE]\n\n`,
      );
    }
  } else
    response.writeHead(200, { ...json, 'x-your-key': key }).end(
      JSON.stringify({
        id: 'c',
        object: 'chat.completion',
        created: 1,
        model: 'm',
        choices: [{ index: 0, message: { role: 'assistant', content: 'Well' }, finish_reason: 'stop' }],
        usage: { prompt_tokens: 3, completion_tokens: 1, total_tokens: 4 },
      }),
    );
}

function exchange(
  method: string,
  url: string,
  headers: Record<string, string>,
  body: string | undefined,
): Promise<{ status: number; text: string; bytes: Buffer; headers: Record<string, unknown> }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, (response) => {
      const parts: Buffer[] = [];
      const done = (): void => {
        const content = Buffer.concat(parts);
        const head = [response.statusMessage ?? '', ...response.rawHeaders, ...response.rawTrailers].join('\n');
        resolve({
          status: response.statusCode ?? 0,
          text: content.toString('utf8'),
          bytes: Buffer.concat([Buffer.from(`${head}\n\n`), content]),
          headers: response.headers,
        });
      };
      response.on('data', (part: Buffer) => parts.push(part));
      response.on('end', done);
      // A stream that is cut is an answer too.
      response.on('error', done);
    });
    request.on('error', reject);
    request.end(body);
  });
}

function subjectOf(body: unknown): string {
  const { messages, stream } = (body ?? {}) as { messages?: { content: string }[]; stream?: boolean };
  return messages === undefined ? '' : `${stream === true ? 'stream' : 'whole'} ${messages.at(-1)!.content}`;
}

function filesOf(folder: string): string[] {
  return (readdirSync(folder, { recursive: true }) as string[]).filter((name) => statSync(join(folder, name)).isFile());
}

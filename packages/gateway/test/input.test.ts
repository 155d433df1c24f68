/** Bad input: every refusal has OpenAI's shape, a stable code and the place, and the server lives on. */
import assert from 'node:assert/strict';
import { request as httpRequest } from 'node:http';
import { after, before, describe, test } from 'node:test';
import {
  chat,
  chatBody,
  expertAt,
  pool,
  post,
  raw,
  rawChat,
  startGateway,
  type TestGateway,
  type WireError,
  wireError,
} from './helpers.ts';
import { type Upstream, upstream } from './upstream.ts';

let expert: Upstream;
let gate: TestGateway;

before(async () => {
  expert = await upstream((_, { body }) => (JSON.stringify(body['messages']).includes('fail') ? 'status500' : 'ok'));
  gate = await startGateway({
    ...pool(
      expertAt('small', expert.url, { contextTokens: 100, capabilities: ['tools'] }),
      expertAt('medium', expert.url, { contextTokens: 1_000, capabilities: ['json'] }),
    ),
    server: { maxBodyBytes: 1_000_000 },
  });
});

after(async () => {
  await gate.close();
  await expert.close();
});

/** The error of a refusal, checked for its shape, and that the server still answers. */
async function refusal(response: Response): Promise<WireError> {
  const text = await response.text();
  const error = wireError(JSON.parse(text));
  assert.ok(error !== undefined, text);
  assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
  assert.match(error.code, /^GW_[A-Z_]+$/);
  assert.equal(error.gateway.code, error.code);
  assert.ok(error.gateway.fix.length > 0);
  assert.equal((await fetch(`${gate.url}/healthz`)).status, 200);
  return error;
}

const GOOD = chatBody('gw/first');
const messages = GOOD['messages'];
const LARGE = JSON.stringify(chatBody('gw/first', {}, 'x'.repeat(1_000_001)));
const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);

describe('a chat request that is refused', () => {
  interface Row {
    readonly name: string;
    readonly body: unknown;
    readonly status: number;
    readonly code: string;
    readonly param?: string;
    readonly says?: RegExp;
  }
  const type = (name: string, body: unknown, param: string, says?: RegExp): Row => ({
    name,
    body,
    status: 400,
    code: 'GW_REQUEST_TYPE',
    param,
    ...(says === undefined ? {} : { says }),
  });
  const json = (name: string, body: unknown, says?: RegExp): Row => ({
    name,
    body,
    status: 400,
    code: 'GW_REQUEST_JSON',
    ...(says === undefined ? {} : { says }),
  });
  const model = (name: string, asked: string, says: RegExp): Row => ({
    name,
    body: { ...GOOD, model: asked },
    status: 404,
    code: 'GW_UNKNOWN_MODEL',
    param: 'model',
    says,
  });
  const rows: Row[] = [
    model('an unknown mode names the nearest and the known ones', 'gw/frist', /"gw\/first".*gw\/alone.*medium/s),
    model('an unknown expert names the nearest', 'smal', /Did you mean "small"/),
    model(
      'a model that is nothing like any names the known ones',
      'gpt-5',
      /Known: gw\/alone, gw\/first, medium, small/,
    ),
    model('a model named as a built-in property is unknown', '__proto__', /__proto__/),
    model('a model named constructor is unknown', 'constructor', /constructor/),
    json('text', 'hello'),
    json('an empty body', '', /empty/),
    json('a cut-off body', JSON.stringify(GOOD).slice(0, -5), /too early|Unterminated/),
    json('a stray comma', '{"model": "gw/first",}', /position 21/),
    json('a body of blanks', '   '),
    json('a single bracket', '{'),
    json('two objects', '{}{}'),
    json('NaN', '{"model": NaN}'),
    {
      name: 'bytes that are no UTF-8',
      body: Buffer.from('{"model": "caf\u00e9"}', 'latin1'),
      status: 400,
      code: 'GW_REQUEST_ENCODING',
    },
    { name: 'a list', body: [GOOD], status: 400, code: 'GW_REQUEST_TYPE', says: /a list/ },
    { name: 'null', body: 'null', status: 400, code: 'GW_REQUEST_TYPE', says: /null/ },
    { name: 'a number', body: '7', status: 400, code: 'GW_REQUEST_TYPE', says: /a number/ },
    { name: 'a text', body: '"hi"', status: 400, code: 'GW_REQUEST_TYPE', says: /a string/ },
    type('no model', { messages }, 'model', /missing.*GET \/v1\/models/s),
    type('an empty model', { ...GOOD, model: '' }, 'model'),
    type('a model that is a number', { ...GOOD, model: 7 }, 'model'),
    type('a very long model', { ...GOOD, model: 'm'.repeat(500_000) }, 'model'),
    type('no messages', { model: 'gw/first' }, 'messages'),
    type('empty messages', { ...GOOD, messages: [] }, 'messages'),
    type('messages that are a text', { ...GOOD, messages: 'hi' }, 'messages'),
    type('a message that is a text', { ...GOOD, messages: ['hi'] }, 'messages[0]'),
    type('a message without a role', { ...GOOD, messages: [{ content: 'hi' }] }, 'messages[0].role'),
    type(
      'a role that is a number, in the third message',
      { ...GOOD, messages: [...(messages as []), ...(messages as []), { role: 7, content: 'hi' }] },
      'messages[2].role',
      /"system", "developer", "user"/,
    ),
    type('content that is a number', { ...GOOD, messages: [{ role: 'user', content: 7 }] }, 'messages[0].content'),
    type('content that is an object', { ...GOOD, messages: [{ role: 'user', content: {} }] }, 'messages[0].content'),
    type(
      'a part without a type',
      { ...GOOD, messages: [{ role: 'user', content: [{ text: 'hi' }] }] },
      'messages[0].content',
    ),
    type('stream as a text', { ...GOOD, stream: 'yes' }, 'stream', /true or false/),
    type('stream_options as a list', { ...GOOD, stream_options: [] }, 'stream_options'),
    type('max_tokens of 0', { ...GOOD, max_tokens: 0 }, 'max_tokens', /at least 1/),
    type('max_tokens with a fraction', { ...GOOD, max_tokens: 1.5 }, 'max_tokens'),
    type(
      'max_tokens beyond every number',
      '{"model":"gw/first","messages":[{"role":"user"}],"max_tokens":1e999}',
      'max_tokens',
    ),
    type('n of 129', { ...GOOD, n: 129 }, 'n'),
    type('a negative n', { ...GOOD, n: -1 }, 'n'),
    type('seed as a text', { ...GOOD, seed: '7' }, 'seed'),
    type('temperature as a text', { ...GOOD, temperature: 'hot' }, 'temperature'),
    type('logprobs as a number', { ...GOOD, logprobs: 3 }, 'logprobs'),
    type('top_logprobs of 21', { ...GOOD, top_logprobs: 21 }, 'top_logprobs'),
    type('stop as an object', { ...GOOD, stop: {} }, 'stop'),
    type('tools as an object', { ...GOOD, tools: {} }, 'tools'),
    type('a tool that is null', { ...GOOD, tools: [null] }, 'tools[0]'),
    type('response_format without a type', { ...GOOD, response_format: {} }, 'response_format.type'),
    type('user as a number', { ...GOOD, user: 7 }, 'user'),
    type('polluting keys in place of the fields', '{"__proto__": {"model": "gw/first", "messages": []}}', 'model'),
    {
      name: 'tools nested a hundred thousand deep',
      body: `{"model":"gw/first","messages":[{"role":"user","content":"hi"}],"tools":[{"x":${nested(100_000)}}]}`,
      status: 400,
      code: 'GW_REQUEST_DEPTH',
    },
    {
      name: 'tool calls nested a hundred thousand deep',
      body: `{"model":"gw/first","messages":[{"role":"user","content":"hi","tool_calls":${nested(100_000)}}]}`,
      status: 400,
      code: 'GW_REQUEST_DEPTH',
    },
    {
      name: 'an unknown field nested a hundred thousand deep',
      body: `{"model":"gw/first","messages":[{"role":"user","content":"hi"}],"x":${nested(100_000)}}`,
      status: 400,
      code: 'GW_UPSTREAM_REJECTED',
    },
    {
      name: 'messages nested a hundred thousand deep',
      body: `{"model":"gw/first","messages":${nested(100_000)}}`,
      status: 400,
      code: 'GW_REQUEST_TYPE',
      param: 'messages[0]',
    },
    { name: 'a bare nest', body: nested(100_000), status: 400, code: 'GW_REQUEST_TYPE' },
    { name: 'more than maxBodyBytes', body: LARGE, status: 413, code: 'GW_REQUEST_TOO_LARGE', says: /1000000 bytes/ },
  ];
  for (const { name, body, status, code, param, says } of rows) {
    test(`${name}: ${status} ${code}`, async () => {
      const asked = expert.requests.length;
      const response = await post(`${gate.url}/v1/chat/completions`, body);
      assert.equal(response.status, status);
      const error = await refusal(response);
      assert.equal(error.code, code);
      if (param !== undefined) assert.equal(error.param, param);
      if (says !== undefined) assert.match(error.message, says);
      assert.ok(error.message.length < 2_000, 'the message does not grow with the input');
      assert.equal(expert.requests.length, asked, 'nobody was asked');
    });
  }
});

describe('a request that nobody can answer', () => {
  const rows = [
    {
      name: 'beyond every context window',
      body: chatBody('gw/first', {}, 'word '.repeat(5_000)),
      removed: [
        ['small', 'context', /about \d{4} tokens do not fit into 100/],
        ['medium', 'context', /about \d{4} tokens do not fit into 1000/],
      ],
    },
    {
      name: 'with an answer longer than every context window',
      body: chatBody('gw/first', { max_tokens: 2_000 }),
      removed: [
        ['small', 'context', /100/],
        ['medium', 'context', /1000/],
      ],
    },
    {
      name: 'with a picture',
      body: {
        model: 'gw/first',
        messages: [{ role: 'user', content: [{ type: 'image_url', image_url: { url: 'data:,' } }] }],
      },
      removed: [
        ['small', 'capability', /needs vision, the expert offers tools/],
        ['medium', 'capability', /needs vision, the expert offers json/],
      ],
    },
    {
      name: 'with tools and JSON at once, which no one expert has',
      body: chatBody('gw/first', { tools: [{ type: 'function' }], response_format: { type: 'json_object' } }),
      removed: [
        ['small', 'capability', /needs json/],
        ['medium', 'capability', /needs tools/],
      ],
    },
  ] as const;
  for (const { name, body, removed } of rows) {
    test(`${name} is refused before any call, and each removal says why`, async () => {
      const asked = expert.requests.length;
      const response = await chat(gate.url, body);
      assert.equal(response.status, 400);
      const error = await refusal(response);
      assert.equal(error.code, 'GW_NO_CANDIDATE');
      const facts = error.gateway['removed'] as { expert: string; constraint: string; detail: string }[];
      assert.equal(facts.length, removed.length);
      for (const [index, [id, constraint, detail]] of removed.entries()) {
        assert.deepEqual([facts[index]!.expert, facts[index]!.constraint], [id, constraint]);
        assert.match(facts[index]!.detail, detail);
        assert.match(error.message, detail);
      }
      assert.equal(expert.requests.length, asked);
    });
  }
});

describe('what is allowed', () => {
  test('unknown fields, polluting ones too, reach the expert as they are and change nothing here', async () => {
    const body = `{"model":"gw/first","messages":[{"role":"user","content":"hi"}],"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}},"top_p":0.5}`;
    const response = await post(`${gate.url}/v1/chat/completions`, body);
    assert.equal(response.status, 200);
    assert.equal(({} as { polluted?: boolean }).polluted, undefined);
    const sent = expert.requests.at(-1)!.body;
    assert.equal(sent['top_p'], 0.5);
    assert.deepEqual(Object.keys(sent).includes('__proto__'), true);
  });

  test('null stands for a field that is left out', async () => {
    const body = { ...GOOD, stream: null, max_tokens: null, tools: null, stop: null, n: null, response_format: null };
    assert.equal((await chat(gate.url, body)).status, 200);
  });

  test('a byte order mark is not', async () => {
    const response = await post(`${gate.url}/v1/chat/completions`, `\ufeff${JSON.stringify(GOOD)}`);
    assert.equal((await refusal(response)).code, 'GW_REQUEST_JSON');
  });
});

describe('bodies above the limit', () => {
  test('with a content-length get 413 before they are sent', async () => {
    const head = `POST /v1/chat/completions HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\ncontent-length: 99000000\r\n\r\n`;
    const { text, isClosed } = await raw(gate.port, head, 3_000);
    assert.match(text, /^HTTP\/1\.1 413 /);
    assert.match(text, /GW_REQUEST_TOO_LARGE/);
    assert.equal(isClosed, true);
  });

  test('get their whole answer although the client is still sending', async () => {
    for (const chunked of [false, true]) {
      const answer = await new Promise<{ status: number; text: string }>((resolve, reject) => {
        const request = httpRequest(
          `${gate.url}/v1/chat/completions`,
          {
            method: 'POST',
            headers: { 'content-type': 'application/json', ...(chunked ? {} : { 'content-length': 30_000_000 }) },
          },
          (response) => {
            let text = '';
            response.on('data', (part: Buffer) => (text += part.toString('utf8')));
            response.on('end', () => resolve({ status: response.statusCode!, text }));
            response.on('error', reject);
          },
        );
        request.on('error', (error) => reject(error));
        const block = Buffer.alloc(100_000, 0x20);
        let sent = 0;
        const more = (): void => {
          while (sent < 300 && !request.destroyed) {
            sent++;
            if (!request.write(block)) {
              request.once('drain', more);
              return;
            }
          }
          request.end();
        };
        more();
      });
      assert.equal(answer.status, 413, `chunked: ${chunked}`);
      assert.equal(wireError(JSON.parse(answer.text))!.code, 'GW_REQUEST_TOO_LARGE');
    }
  });
});

describe('requests that are not for an endpoint', () => {
  const rows = [
    ['GET', '/v1/chat/completions', 405, 'GW_METHOD', /Use POST/],
    ['DELETE', '/v1/traces', 405, 'GW_METHOD', /Use GET/],
    ['POST', '/v1/models', 405, 'GW_METHOD', /Use GET/],
    ['OPTIONS', '/v1/chat/completions', 405, 'GW_METHOD', /Use POST/],
    ['OPTIONS', '/v1/models', 405, 'GW_METHOD', /Use GET/],
    ['GET', '/v1/completions', 404, 'GW_NOT_FOUND', /\/v1\/chat\/completions/],
    ['GET', '/__proto__', 404, 'GW_NOT_FOUND', /Known/],
    ['GET', '/../../etc/passwd', 404, 'GW_NOT_FOUND', /Known/],
    ['GET', '//v1/models', 404, 'GW_NOT_FOUND', /Known/],
    ['GET', '/v1/traces/tr_unknown', 404, 'GW_TRACE_UNKNOWN', /GET \/v1\/traces/],
    ['GET', '/v1/traces/..%2f..%2fetc', 404, 'GW_TRACE_UNKNOWN', /GET \/v1\/traces/],
    ['GET', '/v1/traces/', 404, 'GW_TRACE_UNKNOWN', /GET \/v1\/traces/],
    ['GET', '/v1/traces?limit=0', 400, 'GW_REQUEST_TYPE', /1 to 1000/],
    ['GET', '/v1/traces?limit=1001', 400, 'GW_REQUEST_TYPE', /1 to 1000/],
    ['GET', '/v1/traces?limit=ten', 400, 'GW_REQUEST_TYPE', /1 to 1000/],
    ['GET', '/v1/traces?limit=1.5', 400, 'GW_REQUEST_TYPE', /1 to 1000/],
    ['GET', '/v1/traces?limit=', 400, 'GW_REQUEST_TYPE', /1 to 1000/],
  ] as const;
  for (const [method, path, status, code, says] of rows) {
    test(`${method} ${path}: ${status} ${code}`, async () => {
      const { text } = await raw(
        gate.port,
        `${method} ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n`,
        2_000,
      );
      assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
      const error = wireError(JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)));
      assert.equal(error!.code, code);
      assert.match(error!.message, says);
    });
  }

  for (const type of [undefined, 'text/plain', 'multipart/form-data; boundary=x', 'application/jsonp', 'text/json']) {
    test(`a body of type ${type}: 415`, async () => {
      for (const path of ['/v1/chat/completions', '/v1/route', '/v1/feedback']) {
        const { text } = await raw(
          gate.port,
          `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n${type === undefined ? '' : `content-type: ${type}\r\n`}content-length: 2\r\nconnection: close\r\n\r\n{}`,
          2_000,
        );
        assert.match(text, /^HTTP\/1\.1 415 /);
        assert.match(text, /GW_REQUEST_MEDIA/);
      }
    });
  }

  test('a type with parameters and capitals is JSON', async () => {
    const response = await post(`${gate.url}/v1/chat/completions`, GOOD, {
      headers: { 'content-type': 'Application/JSON; charset=utf-8' },
    });
    assert.equal(response.status, 200);
  });

  for (const seed of ['-1', '1.5', 'seven', '4294967296', 'NaN', '7, 8']) {
    test(`x-gw-seed of ${seed}: 400`, async () => {
      for (const path of ['/v1/chat/completions', '/v1/route']) {
        const response = await post(`${gate.url}${path}`, GOOD, { headers: { 'x-gw-seed': seed } });
        assert.equal(response.status, 400);
        assert.equal((await refusal(response)).param, 'x-gw-seed');
      }
    });
  }
});

describe('bytes that are not HTTP', () => {
  test('headers above the limit get a typed 431', async () => {
    const { text, isClosed } = await raw(gate.port, rawChat(GOOD, `x-long: ${'x'.repeat(20_000)}\r\n`), 2_000);
    assert.match(text, /^HTTP\/1\.1 431 /);
    const error = wireError(JSON.parse(text.slice(text.indexOf('\r\n\r\n') + 4)));
    assert.equal(error!.code, 'GW_HEADERS_TOO_LARGE');
    assert.match(error!.message, /16384 bytes/);
    assert.equal(isClosed, true);
  });

  const garbage: readonly [string, string | Buffer][] = [
    ['noise', Buffer.from(Array.from({ length: 2_000 }, (_, at) => (at * 73 + 41) % 256))],
    ['a TLS hello', Buffer.from('16030100f8010000f40303', 'hex')],
    ['an unknown method', 'STEAL / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n'],
    ['two lengths', 'POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx'],
    [
      'a length and chunks at once',
      'POST / HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'a chunk of a length that is none',
      `${rawChat(GOOD).split('content-length')[0]}transfer-encoding: chunked\r\n\r\nzz\r\n`,
    ],
    ['zeros', Buffer.alloc(5_000)],
  ];
  for (const [name, bytes] of garbage) {
    test(`${name} gets a typed 400 and the connection closes`, async () => {
      const { text, isClosed } = await raw(gate.port, bytes, 2_000);
      assert.match(text, /^HTTP\/1\.1 400 /);
      assert.match(text, /GW_REQUEST_HTTP/);
      assert.equal(isClosed, true);
      assert.equal((await chat(gate.url, GOOD)).status, 200);
    });
  }
});

test('a wrong method is told the right ones, and HEAD does not become a watcher', async () => {
  const wrong = await fetch(`${gate.url}/v1/models`, { method: 'DELETE' });
  assert.equal(wrong.headers.get('allow'), 'GET');
  assert.equal((await fetch(`${gate.url}/v1/live`, { method: 'HEAD' })).status, 405);
  assert.equal((await fetch(`${gate.url}/healthz`, { method: 'HEAD' })).status, 200);
});

describe('feedback', () => {
  const send = (body: unknown): Promise<Response> => post(`${gate.url}/v1/feedback`, body);
  const served = async (): Promise<string> => (await chat(gate.url, GOOD)).headers.get('x-gw-trace')!;

  test('with a score, or correct, is admitted', async () => {
    const trace = await served();
    assert.equal((await send({ trace, score: 0.5, source: 'judge', comment: 'so so' })).status, 200);
    assert.equal((await send({ trace, correct: true })).status, 200);
    const shown = (await (await fetch(`${gate.url}/v1/traces/${trace}`)).json()) as { feedback: { score: number }[] };
    assert.deepEqual(
      shown.feedback.map(({ score }) => score),
      [0.5, 1],
    );
  });

  test('a hundred times on one trace is enough: 409, and what was admitted stays', async () => {
    const trace = await served();
    for (let i = 0; i < 100; i++) assert.equal((await send({ trace, score: 1 })).status, 200);
    const response = await send({ trace, score: 0 });
    assert.equal(response.status, 409);
    assert.equal((await refusal(response)).code, 'GW_FEEDBACK_LIMIT');
    const shown = (await (await fetch(`${gate.url}/v1/traces/${trace}`)).json()) as { feedback: unknown[] };
    assert.equal(shown.feedback.length, 100);
  });

  test('on a trace that nobody knows: 404', async () => {
    for (const trace of ['tr_0000', '__proto__', '../x']) {
      const response = await send({ trace, score: 1 });
      assert.equal(response.status, 404);
      assert.equal((await refusal(response)).code, 'GW_TRACE_UNKNOWN');
    }
  });

  test('on a trace that served no answer: 409', async () => {
    const failed = await chat(gate.url, chatBody('gw/first', {}, 'fail'));
    const response = await send({ trace: failed.headers.get('x-gw-trace'), score: 1 });
    assert.equal(response.status, 409);
    assert.equal((await refusal(response)).code, 'GW_TRACE_UNSERVED');
  });

  const wrong: readonly [string, object][] = [
    ['both a score and correct', { trace: 'tr_1', score: 1, correct: true }],
    ['neither', { trace: 'tr_1' }],
    ['no trace', { score: 1 }],
    ['a score above 1', { trace: 'tr_1', score: 1.01 }],
    ['a negative score', { trace: 'tr_1', score: -0.1 }],
    ['a score as a text', { trace: 'tr_1', score: '1' }],
    ['an unknown field', { trace: 'tr_1', score: 1, rating: 5 }],
    ['a very long comment', { trace: 'tr_1', score: 1, comment: 'x'.repeat(2_001) }],
    ['an empty source', { trace: 'tr_1', score: 1, source: '' }],
    ['a list', []],
  ];
  for (const [name, body] of wrong) {
    test(`with ${name}: 400`, async () => {
      const response = await send(body);
      assert.equal(response.status, 400);
      assert.equal((await refusal(response)).code, 'GW_REQUEST_TYPE');
    });
  }
});

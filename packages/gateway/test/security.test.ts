/** Who is served, from where, and that no key ever comes back. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { GatewrightError } from '@gatewright/kernel';
import { checkConfig } from '../src/config/config.ts';
import { journal } from '../src/stores/journal.ts';
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
  until,
  wireError,
} from './helpers.ts';
import { type Upstream, upstream } from './upstream.ts';

const CLIENT_KEY = 'client-KEY-0a1b2c3d4e5f';
const SECOND_KEY = 'zweiter.Schluessel/9';
const UPSTREAM_KEY = 'sk-test-SECRET-9f8e7d6c5b4a3210';

async function bench(
  env: Record<string, string> = {},
  config: object = {},
): Promise<{
  gate: TestGateway;
  expert: Upstream;
  close(): Promise<void>;
}> {
  const expert = await upstream((_, { body }) => {
    const text = JSON.stringify(body['messages']);
    if (text.includes('unauthorized')) return 'unauthorized';
    return text.includes('broken') ? 'errorMiddle' : 'ok';
  });
  const gate = await startGateway({ ...pool(expertAt('one', expert.url)), ...config }, { env }).catch(async (error) => {
    await expert.close();
    throw error;
  });
  return {
    gate,
    expert,
    async close() {
      await gate.close();
      await expert.close();
    },
  };
}

describe('where it listens', () => {
  test('is loopback unless the configuration says otherwise', () => {
    const config = checkConfig({ version: 1, experts: [expertAt('one', 'http://127.0.0.1:1/v1')] });
    assert.equal(config.server.host, '127.0.0.1');
  });

  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.0.0.1.example.com']) {
    test(`is not ${host} without a key, and the error says what to do`, async () => {
      await assert.rejects(bench({}, { server: { host } }), (error) => {
        assert.ok(error instanceof GatewrightError);
        assert.equal(error.code, 'GW_UNSAFE_BIND');
        assert.match(error.fix, /^Set a key: export GATEWRIGHT_API_KEY=\$\(openssl rand -hex 24\)/);
        assert.match(error.fix, /127\.0\.0\.1/);
        return true;
      });
    });
  }

  test('is not 0.0.0.0 with a key of blanks and commas', async () => {
    await assert.rejects(bench({ GATEWRIGHT_API_KEY: ' , ,' }, { server: { host: '0.0.0.0' } }), {
      code: 'GW_UNSAFE_BIND',
    });
  });

  test('is 0.0.0.0 with a key', async () => {
    const { gate, close } = await bench({ GATEWRIGHT_API_KEY: CLIENT_KEY }, { server: { host: '0.0.0.0' } });
    assert.equal((await fetch(`${gate.url}/v1/models`)).status, 401);
    await close();
  });

  test('a port that is taken is a typed error', async () => {
    const { gate, close } = await bench();
    await assert.rejects(bench({}, { server: { port: gate.port } }), { code: 'GW_PORT_IN_USE' });
    await close();
  });
});

describe('with keys', () => {
  const cases: readonly [string, Record<string, string>, number][] = [
    ['no key', {}, 401],
    ['a wrong key', { authorization: 'Bearer wrong' }, 401],
    ['the right key', { authorization: `Bearer ${CLIENT_KEY}` }, 200],
    ['the right key, "bearer" in small letters', { authorization: `bearer   ${CLIENT_KEY}` }, 200],
    ['the second key', { authorization: `Bearer ${SECOND_KEY}` }, 200],
    ['the right key as x-api-key', { 'x-api-key': CLIENT_KEY }, 200],
    ['a wrong x-api-key', { 'x-api-key': 'wrong' }, 401],
    ['the beginning of the key', { authorization: `Bearer ${CLIENT_KEY.slice(0, -1)}` }, 401],
    ['the key and more', { authorization: `Bearer ${CLIENT_KEY}x` }, 401],
    ['both keys at once', { authorization: `Bearer ${CLIENT_KEY},${SECOND_KEY}` }, 401],
    ['an empty bearer', { authorization: 'Bearer ' }, 401],
    ['the key without "Bearer"', { authorization: CLIENT_KEY }, 401],
    ['the key as basic', { authorization: `Basic ${btoa(`user:${CLIENT_KEY}`)}` }, 401],
    ['a wrong bearer beside a right x-api-key', { authorization: 'Bearer wrong', 'x-api-key': CLIENT_KEY }, 401],
    ['an empty x-api-key', { 'x-api-key': '' }, 401],
    ['a key of 15000 letters', { 'x-api-key': 'k'.repeat(15_000) }, 401],
  ];
  for (const [name, headers, status] of cases) {
    test(`${name}: ${status}`, async () => {
      const { gate, close } = await bench({ GATEWRIGHT_API_KEY: `${CLIENT_KEY}, ${SECOND_KEY}` });
      try {
        const answers = [
          await chat(gate.url, chatBody('gw/first'), { headers }),
          await post(`${gate.url}/v1/route`, chatBody('gw/first'), { headers }),
          ...(await Promise.all(
            ['/v1/models', '/v1/traces', '/v1/status', '/metrics'].map((path) => fetch(gate.url + path, { headers })),
          )),
        ];
        for (const answer of answers) {
          assert.equal(answer.status, status, answer.url);
          const text = await answer.text();
          if (status !== 401) continue;
          assert.equal(wireError(JSON.parse(text))!.code, 'GW_AUTH');
          assert.equal(wireError(JSON.parse(text))!.type, 'authentication_error');
          assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
          assert.ok(!text.includes(CLIENT_KEY.slice(0, 12)));
        }
      } finally {
        await close();
      }
    });
  }

  test('every endpoint but liveness and the page needs one, feedback and the live stream too', async () => {
    const { gate, close } = await bench({ GATEWRIGHT_API_KEY: CLIENT_KEY });
    try {
      assert.equal((await post(`${gate.url}/v1/feedback`, { trace: 'tr_1', score: 1 })).status, 401);
      for (const path of ['/v1/live', '/v1/traces/tr_1', '/v1/models', '/metrics', '/v1/status'])
        assert.equal((await fetch(gate.url + path)).status, 401, path);
      for (const path of ['/', '/healthz', '/readyz']) assert.equal((await fetch(gate.url + path)).status, 200, path);
    } finally {
      await close();
    }
  });

  test('the variable may have another name', async () => {
    const { gate, close } = await bench({ MY_KEY: CLIENT_KEY }, { server: { apiKeyEnv: 'MY_KEY' } });
    assert.equal((await fetch(`${gate.url}/v1/models`)).status, 401);
    assert.equal((await fetch(`${gate.url}/v1/models`, { headers: { 'x-api-key': CLIENT_KEY } })).status, 200);
    await close();
  });
});

describe('a web page in the browser of this machine', () => {
  const hosts: readonly [string, number][] = [
    ['127.0.0.1', 200],
    ['127.0.0.1:4180', 200],
    ['localhost', 200],
    ['localhost:4180', 200],
    ['[::1]:4180', 200],
    ['app.localhost', 200],
    ['evil.example', 403],
    ['evil.example:4180', 403],
    ['127.0.0.1.evil.example', 403],
    ['localhost.evil.example', 403],
    ['evil.example#localhost', 403],
    ['0.0.0.0', 403],
    ['[::1].evil.example', 403],
    ['', 403],
  ];
  for (const [host, status] of hosts) {
    test(`under the name ${JSON.stringify(host)} gets ${status} where no key is set`, async () => {
      const { gate, expert, close } = await bench();
      try {
        const bytes = rawChat(chatBody('gw/first'), 'connection: close\r\n').replace(
          'host: 127.0.0.1',
          `host: ${host}`,
        );
        const { text } = await raw(gate.port, bytes, 2_000);
        assert.match(text, new RegExp(`^HTTP/1\\.1 ${status} `));
        if (status === 403) assert.match(text, /GW_HOST/);
        assert.equal(expert.requests.length, status === 200 ? 1 : 0);
      } finally {
        await close();
      }
    });
  }

  test('under a foreign name needs the key and nothing else where one is set', async () => {
    const { gate, close } = await bench({ GATEWRIGHT_API_KEY: CLIENT_KEY });
    const bytes = (key: string): string =>
      `GET /v1/models HTTP/1.1\r\nhost: gateway.example\r\nx-api-key: ${key}\r\nconnection: close\r\n\r\n`;
    assert.match((await raw(gate.port, bytes(CLIENT_KEY), 2_000)).text, /^HTTP\/1\.1 200 /);
    assert.match((await raw(gate.port, bytes('wrong'), 2_000)).text, /^HTTP\/1\.1 401 /);
    await close();
  });

  test('cannot post a form or text, and is never told that it may read', async () => {
    const { gate, expert, close } = await bench();
    try {
      const origin = 'http://evil.example';
      const answers = [
        await post(`${gate.url}/v1/chat/completions`, chatBody('gw/first'), {
          headers: { 'content-type': 'text/plain', origin },
        }),
        await post(`${gate.url}/v1/chat/completions`, chatBody('gw/first'), { headers: { origin } }),
        await post(`${gate.url}/v1/chat/completions`, chatBody('gw/first', { stream: true }), { headers: { origin } }),
        await fetch(`${gate.url}/v1/chat/completions`, {
          method: 'OPTIONS',
          headers: { origin, 'access-control-request-method': 'POST' },
        }),
        ...(await Promise.all(
          ['/', '/metrics', '/v1/models', '/v1/traces', '/nothing'].map((path) =>
            fetch(gate.url + path, { headers: { origin } }),
          ),
        )),
      ];
      assert.deepEqual(
        answers.map(({ status }) => status),
        [415, 200, 200, 405, 200, 200, 200, 200, 404],
      );
      assert.equal(expert.requests.length, 2);
      for (const answer of answers) {
        for (const [name] of answer.headers) assert.ok(!name.startsWith('access-control-'), `${answer.url}: ${name}`);
        await answer.text();
      }
    } finally {
      await close();
    }
  });

  test('gets the page with a policy that runs its own script only', async () => {
    const { gate, close } = await bench();
    const page = await fetch(gate.url);
    const policy = page.headers.get('content-security-policy')!;
    assert.match(policy, /default-src 'none'/);
    assert.match(policy, /script-src 'sha256-[A-Za-z0-9+/]{43}='/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.equal(page.headers.get('x-content-type-options'), 'nosniff');
    await page.text();
    await close();
  });
});

describe('keys', () => {
  test('of the client and of the expert are in no answer, header, trace, journal, metric, status or log', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'gatewright-'));
    const expert = await upstream((_, { body }) => {
      const text = JSON.stringify(body['messages']);
      if (text.includes('unauthorized')) return 'unauthorized';
      return text.includes('broken') ? 'errorMiddle' : 'ok';
    });
    const gate = await startGateway(
      { ...pool(expertAt('one', expert.url, {}, { apiKeyEnv: 'UPSTREAM_KEY' })), storage: { bodies: true } },
      {
        env: { GATEWRIGHT_API_KEY: CLIENT_KEY, UPSTREAM_KEY },
        store: journal({ directory }),
      },
    );
    try {
      const headers = { authorization: `Bearer ${CLIENT_KEY}` };
      const seen: string[] = [];
      const look = async (response: Response): Promise<void> => {
        seen.push(JSON.stringify([...response.headers]), await response.text());
      };
      const live = await fetch(`${gate.url}/v1/live`, { headers });
      for (const text of ['hello', 'unauthorized', 'broken']) {
        for (const stream of [false, true])
          await look(await chat(gate.url, chatBody('gw/alone', { stream }, text), { headers }));
      }
      await look(await chat(gate.url, chatBody('gw/alone'), { headers: { authorization: `Bearer ${CLIENT_KEY}x` } }));
      await look(await chat(gate.url, chatBody(UPSTREAM_KEY), { headers }));
      await look(await chat(gate.url, chatBody('gw/alone', { stream: 7 }), { headers }));
      await look(await post(`${gate.url}/v1/route`, chatBody('gw/alone'), { headers }));
      await look(await post(`${gate.url}/v1/feedback`, { trace: 'tr_1', score: 1 }, { headers }));
      for (const path of ['/', '/v1/models', '/v1/traces', '/v1/status', '/metrics', '/readyz', '/nothing'])
        await look(await fetch(gate.url + path, { headers }));
      for (const { id } of await gate.gateway.store.list({ limit: 100 }))
        await look(await fetch(`${gate.url}/v1/traces/${id}`, { headers }));
      assert.ok(expert.requests.length >= 6);
      for (const { headers: sent } of expert.requests) {
        assert.equal(sent.authorization, `Bearer ${UPSTREAM_KEY}`);
        assert.ok(!JSON.stringify(sent).includes(CLIENT_KEY), "the client's key is not sent on");
      }
      await gate.close();
      seen.push(await live.text(), JSON.stringify(gate.logs));
      for (const name of readdirSync(directory)) seen.push(readFileSync(join(directory, name), 'latin1'));
      assert.ok(seen.some((text) => text.includes('"kind":"trace"')));
      for (const [what, key] of Object.entries({ CLIENT_KEY, UPSTREAM_KEY })) {
        for (const text of seen) assert.ok(!text.includes(key), `${what} in ${text.slice(0, 200)}`);
      }
    } finally {
      await gate.close();
      await expert.close();
      rmSync(directory, { recursive: true });
    }
  });
});

describe('a place among the connections', () => {
  test('is given up by whoever sends garbage and does not close', async () => {
    const { gate, close } = await bench({}, { server: { maxConnections: 2 } });
    try {
      const sockets = [1, 2].map(() => {
        const socket = connect({ port: gate.port, host: '127.0.0.1', allowHalfOpen: true });
        socket.on('error', () => {});
        socket.resume();
        socket.write('garbage\r\n\r\n');
        return socket;
      });
      await Promise.all(sockets.map((socket) => new Promise((resolve) => socket.on('end', resolve))));
      await until(async () => {
        const { text } = await raw(gate.port, rawChat(chatBody('gw/first'), 'connection: close\r\n'), 1_000);
        return text.startsWith('HTTP/1.1 200 ');
      }, 'an answer');
      for (const socket of sockets) socket.destroy();
    } finally {
      await close();
    }
  });
});

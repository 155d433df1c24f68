/** Keys, scopes, users and the admin listener, over HTTP. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { withoutSecrets } from '../src/admin/endpoints/config.ts';
import * as endpoints from '../src/endpoints/index.ts';
import { type Identity, memoryIdentity, openIdentity } from '../src/identity/administration.ts';
import { verifyAudit } from '../src/identity/audit.ts';
import type { KeyFields } from '../src/identity/key-fields.ts';
import { ROLES, SCOPES } from '../src/identity/principal.ts';
import { watchConfig } from '../src/reload.ts';
import {
  raw as bytes,
  chat,
  chatBody,
  expertAt,
  pool,
  post,
  startGateway,
  type TestGateway,
  wireError,
} from './helpers.ts';
import { type Upstream, upstream } from './upstream.ts';

const TOKEN = 'admin-token-0a1b2c3d4e5f6a7b8c9d';

let expert: Upstream;
before(async () => {
  expert = await upstream(() => 'ok');
});
after(() => expert.close());

/** A gateway with one key made of `fields`. */
async function withKey(
  fields: Partial<KeyFields>,
  use: (given: {
    gate: TestGateway;
    identity: Identity;
    key: string;
    id: string;
    headers: Record<string, string>;
  }) => Promise<void>,
): Promise<void> {
  const identity = memoryIdentity();
  const { record, key } = identity.keys.create({ name: 'app', ...fields });
  const gate = await startGateway(
    { ...pool(expertAt('one', expert.url), expertAt('two', expert.url)), admin: { port: 0 } },
    { identity, env: { GATEWRIGHT_ADMIN_TOKEN: TOKEN } },
  );
  try {
    await use({ gate, identity, key, id: record.id, headers: { authorization: `Bearer ${key}` } });
  } finally {
    await gate.close();
  }
}

async function refusal(answer: Response): Promise<readonly [status: number, code: string | undefined]> {
  return [answer.status, wireError(await answer.json())?.code];
}

describe('virtual keys', () => {
  test('open what they are for, as bearer and as x-api-key, and nothing is open without one', async () => {
    await withKey({}, async ({ gate, key, headers }) => {
      assert.deepEqual(await refusal(await chat(gate.url, chatBody('gw/first'))), [401, 'GW_AUTH']);
      assert.deepEqual(
        await refusal(await chat(gate.url, chatBody('gw/first'), { headers: { authorization: 'Bearer wrong' } })),
        [401, 'GW_AUTH'],
      );
      assert.equal((await chat(gate.url, chatBody('gw/first'), { headers })).status, 200);
      assert.equal((await fetch(`${gate.url}/v1/models`, { headers: { 'x-api-key': key } })).status, 200);
      assert.equal((await fetch(gate.url)).headers.get('x-gw-keyed'), '1');
    });
  });

  test('stop working at once when they are revoked, rotated without overlap, or deleted', async () => {
    await withKey({}, async ({ gate, identity, id, headers }) => {
      const ask = async (sent: Record<string, string>) => fetch(`${gate.url}/v1/models`, { headers: sent });
      assert.equal((await ask(headers)).status, 200);
      const { key } = identity.keys.rotate(id, 0);
      const answer = await ask(headers);
      assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
      assert.deepEqual(await refusal(answer), [401, 'GW_KEY_EXPIRED']);
      const newer = { authorization: `Bearer ${key}` };
      assert.equal((await ask(newer)).status, 200);
      identity.keys.revoke(id);
      const revoked = await ask(newer);
      const error = wireError(await revoked.json());
      assert.deepEqual([revoked.status, error?.code], [401, 'GW_KEY_REVOKED']);
      assert.match(error!.message, /revoked at \d{4}-/);
    });
  });

  test('a gateway that was open asks for a key as soon as there is one', async () => {
    const identity = memoryIdentity();
    const gate = await startGateway(pool(expertAt('one', expert.url)), { identity });
    assert.equal((await fetch(`${gate.url}/v1/models`)).status, 200);
    const { key } = identity.keys.create({ name: 'first' });
    assert.equal((await fetch(`${gate.url}/v1/models`)).status, 401);
    assert.equal((await fetch(`${gate.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status, 200);
    await gate.close();
  });

  test('in a URL they are refused, and the answer does not repeat them', async () => {
    await withKey({}, async ({ gate, key, headers }) => {
      for (const url of [`/v1/models?api_key=${key}`, `/v1/models?x=${key}`, '/v1/traces?token=abc']) {
        const answer = await fetch(gate.url + url, { headers });
        const text = await answer.text();
        assert.deepEqual([answer.status, JSON.parse(text).error.code], [400, 'GW_REQUEST_KEY']);
        assert.equal(text.includes(key), false);
      }
    });
  });

  test('too many wrong ones are told to wait', async () => {
    await withKey({}, async ({ gate, headers }) => {
      const wrong = { headers: { authorization: 'Bearer wrong' } };
      for (let i = 0; i < 20; i++) assert.equal((await fetch(`${gate.url}/v1/models`, wrong)).status, 401);
      const answer = await fetch(`${gate.url}/v1/models`, wrong);
      assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/);
      assert.deepEqual(await refusal(answer), [429, 'GW_AUTH_PAUSED']);
      assert.equal((await fetch(`${gate.url}/v1/models`, { headers })).status, 200);
    });
  });
});

describe('scopes and roles', () => {
  const PLACES: readonly (readonly [scope: (typeof SCOPES)[number], method: string, path: string, body?: object])[] = [
    ['chat', 'POST', '/v1/chat/completions', chatBody('gw/first')],
    ['route', 'POST', '/v1/route', chatBody('gw/first')],
    ['feedback', 'POST', '/v1/feedback', { trace: 'tr_none', correct: true }],
    ['feedback', 'GET', '/v1/preferences?user=ada'],
    ['traces', 'GET', '/v1/traces'],
    ['status', 'GET', '/v1/status'],
    ['status', 'GET', '/metrics'],
    ['models', 'GET', '/v1/models'],
  ];
  for (const [scope, method, path, body] of PLACES) {
    test(`${method} ${path} needs ${scope}`, async () => {
      const ask = (gate: TestGateway, headers: Record<string, string>) =>
        body === undefined ? fetch(gate.url + path, { method, headers }) : post(gate.url + path, body, { headers });
      await withKey({ scopes: [scope] }, async ({ gate, headers }) => {
        const answer = await ask(gate, headers);
        assert.equal([401, 403].includes(answer.status), false, String(answer.status));
      });
      await withKey({ scopes: SCOPES.filter((other) => other !== scope) }, async ({ gate, headers }) => {
        assert.deepEqual(await refusal(await ask(gate, headers)), [403, 'GW_FORBIDDEN']);
      });
    });
  }

  test('every path that needs a key says which scope it needs', async () => {
    const gate = await startGateway(pool(expertAt('one', expert.url)));
    const context = { gateway: gate.gateway, gate: { isKeyed: false, check: () => assert.fail() }, log() {}, pace: {} };
    const routes = Object.values(endpoints).flatMap((endpoint) => Object.entries(endpoint(context as never)));
    const without = routes.filter(([, { isOpen, scope }]) => !isOpen && scope === undefined).map(([path]) => path);
    await gate.close();
    assert.deepEqual(without, []);
  });

  test('an admin key without the role to use is for the admin listener alone', async () => {
    await withKey({ roles: ['admin'] }, async ({ gate, headers }) => {
      assert.deepEqual(await refusal(await fetch(`${gate.url}/v1/models`, { headers })), [403, 'GW_FORBIDDEN']);
      assert.equal((await fetch(`${gate.server.adminUrl}/admin/v1/keys`, { headers })).status, 200);
    });
  });
});

describe('paths', () => {
  test('that are none, or another one only once they are tidied up, are unknown to both listeners', async () => {
    await withKey({}, async ({ gate, key }) => {
      for (const path of [
        '//',
        '//:x',
        'http://:/',
        '/v1/x/../models',
        '/admin/v1/x/../keys',
        '//admin/v1/keys',
        '/V1/models',
        '/v1/models/',
      ])
        for (const [port, sent] of [
          [gate.port, key],
          [Number(new URL(gate.server.adminUrl!).port), TOKEN],
        ] as const) {
          const { text } = await bytes(
            port,
            `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${sent}\r\nconnection: close\r\n\r\n`,
          );
          assert.match(text, /^HTTP\/1\.1 404 /, `${path} ${text.slice(0, 200)}`);
        }
    });
  });
});

describe('allowed models', () => {
  test('are the only ones that are routed', async () => {
    await withKey({ models: ['gw/first', 'o*'] }, async ({ gate, headers }) => {
      const before = expert.requests.length;
      for (const model of ['gw/first', 'one'])
        assert.equal((await chat(gate.url, chatBody(model), { headers })).status, 200);
      assert.equal(expert.requests.length, before + 2);
      for (const model of ['gw/alone', 'two', 'never-heard-of']) {
        for (const more of [{}, { stream: true }])
          assert.deepEqual(await refusal(await chat(gate.url, chatBody(model, more), { headers })), [
            403,
            'GW_MODEL_FORBIDDEN',
          ]);
        assert.deepEqual(await refusal(await post(`${gate.url}/v1/route`, chatBody(model), { headers })), [
          403,
          'GW_MODEL_FORBIDDEN',
        ]);
      }
      assert.equal(expert.requests.length, before + 2);
    });
  });
});

describe('a key with a user', () => {
  test('speaks for that user and for nobody else', async () => {
    await withKey({ user: 'ada' }, async ({ gate, headers }) => {
      const answer = await chat(gate.url, chatBody('gw/first'), { headers });
      await answer.arrayBuffer();
      const trace = answer.headers.get('x-gw-trace');
      const about = (user?: string) =>
        post(`${gate.url}/v1/feedback`, { trace, correct: true, ...(user === undefined ? {} : { user }) }, { headers });
      assert.deepEqual(await refusal(await about('bob')), [403, 'GW_FORBIDDEN']);
      assert.equal((await about('ada')).status, 200);
      // Unnamed it is the same user, who has judged that answer by now.
      assert.equal(((await (await about()).json()) as { status: string }).status, 'refused');

      const preference = (user: string, init: RequestInit = {}) =>
        fetch(`${gate.url}/v1/preferences${user}`, {
          ...init,
          headers: { ...headers, 'content-type': 'application/json' },
        });
      const pin = { method: 'PUT', body: '{"quality_weight":0.9}' };
      for (const init of [{}, pin, { method: 'DELETE' }, { method: 'POST', body: '{"chosen":"a","rejected":"b"}' }])
        assert.deepEqual(await refusal(await preference('?user=bob', init)), [403, 'GW_FORBIDDEN']);
      assert.equal((await preference('?user=ada', pin)).status, 200);
      assert.equal(((await (await preference('')).json()) as { quality_weight: number }).quality_weight, 0.9);
    });
  });

  test('and one without speaks for whomever it names', async () => {
    await withKey({}, async ({ gate, headers }) => {
      for (const user of ['ada', 'bob'])
        assert.equal((await fetch(`${gate.url}/v1/preferences?user=${user}`, { headers })).status, 200);
      assert.equal((await fetch(`${gate.url}/v1/preferences`, { headers })).status, 400);
    });
  });
});

describe('the admin listener', () => {
  const token = { authorization: `Bearer ${TOKEN}` };
  const send = (url: string, method: string, body?: unknown, headers: Record<string, string> = token) =>
    fetch(url, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });

  test('is off by default, and its paths are nowhere on the main one', async () => {
    const gate = await startGateway(pool(expertAt('one', expert.url)));
    assert.equal(gate.server.adminUrl, undefined);
    assert.equal((await fetch(`${gate.url}/admin/v1/keys`)).status, 404);
    await gate.close();
  });

  test('is never open: not without a key, not on loopback, not with a key that may use only', async () => {
    const identity = memoryIdentity();
    const gate = await startGateway({ ...pool(expertAt('one', expert.url)), admin: { port: 0 } }, { identity });
    const url = `${gate.server.adminUrl}/admin/v1/keys`;
    assert.deepEqual(await refusal(await fetch(url)), [401, 'GW_AUTH']);
    assert.deepEqual(await refusal(await fetch(`${gate.server.adminUrl}/nothing`)), [401, 'GW_AUTH']);
    const { key } = identity.keys.create({ name: 'app' });
    assert.deepEqual(await refusal(await send(url, 'GET', undefined, { authorization: `Bearer ${key}` })), [
      403,
      'GW_FORBIDDEN',
    ]);
    const admin = identity.keys.create({ name: 'ada', roles: ['admin'] });
    assert.equal((await send(url, 'GET', undefined, { authorization: `Bearer ${admin.key}` })).status, 200);
    identity.keys.revoke(admin.record.id);
    assert.deepEqual(await refusal(await send(url, 'GET', undefined, { authorization: `Bearer ${admin.key}` })), [
      401,
      'GW_KEY_REVOKED',
    ]);
    const refused = identity.audit.list({ limit: 10 });
    assert.deepEqual(
      refused.map(({ actor, result, code }) => [actor.name, actor.from, result, code]),
      [
        ['unknown', 'loopback', 'refused', 'GW_KEY_REVOKED'],
        ['app', 'loopback', 'refused', 'GW_FORBIDDEN'],
        ['unknown', 'loopback', 'refused', 'GW_AUTH'],
        ['unknown', 'loopback', 'refused', 'GW_AUTH'],
      ],
    );
    await gate.close();
  });

  const UNSAFE: readonly (readonly [string, object, Record<string, string>])[] = [
    ['beyond loopback with nobody who may use it', { host: '0.0.0.0', port: 0 }, {}],
    ['with a token that can be guessed', { port: 0 }, { GATEWRIGHT_ADMIN_TOKEN: 'short' }],
  ];
  for (const [name, admin, env] of UNSAFE) {
    test(`does not start ${name}`, async () => {
      await assert.rejects(startGateway({ ...pool(expertAt('one', expert.url)), admin }, { env }), {
        code: 'GW_UNSAFE_BIND',
      });
    });
  }

  test('a port that is taken is a typed error, and the gateway does not begin', async () => {
    await withKey({}, async ({ gate }) => {
      const { port } = new URL(gate.server.adminUrl!);
      await assert.rejects(startGateway({ ...pool(expertAt('one', expert.url)), admin: { port: Number(port) } }), {
        code: 'GW_PORT_IN_USE',
        path: 'admin.port',
      });
    });
  });

  test('makes, shows, changes, rotates, revokes and deletes keys, and shows a key once', async () => {
    await withKey({}, async ({ gate, identity }) => {
      const url = `${gate.server.adminUrl}/admin/v1/keys`;
      const made = await send(url, 'POST', { name: 'books', scopes: ['models'], limits: { requestsPerMinute: 5 } });
      assert.equal(made.status, 201);
      assert.equal(made.headers.get('cache-control'), 'no-store');
      const { key, id, ...record } = (await made.json()) as Record<string, unknown> & { key: string; id: string };
      assert.match(key, /^gw-/);
      assert.deepEqual([record['object'], record['name'], record['state']], ['gateway.key', 'books', 'active']);
      assert.equal((await fetch(`${gate.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status, 200);

      const listed = await (await send(url, 'GET')).text();
      const shown = await (await send(`${url}/${id}`, 'GET')).text();
      for (const text of [listed, shown]) {
        assert.match(text, new RegExp(id));
        assert.equal(text.includes(key.slice(16)), false);
      }
      const changed = (await (await send(`${url}/${id}`, 'PATCH', { scopes: ['status'] })).json()) as {
        scopes: string[];
      };
      assert.deepEqual(changed.scopes, ['status']);
      assert.equal((await fetch(`${gate.url}/v1/models`, { headers: { authorization: `Bearer ${key}` } })).status, 403);
      const rotated = (await (await send(`${url}/${id}/rotate`, 'POST', { overlapMs: 60_000 })).json()) as {
        key: string;
        overlapUntil: string;
      };
      assert.ok(Date.parse(rotated.overlapUntil) > Date.now());
      for (const each of [key, rotated.key])
        assert.equal(
          (await fetch(`${gate.url}/v1/status`, { headers: { authorization: `Bearer ${each}` } })).status,
          200,
        );
      assert.equal(
        ((await (await send(`${url}/${id}/revoke`, 'POST', {})).json()) as { state: string }).state,
        'revoked',
      );
      assert.deepEqual(
        await refusal(await fetch(`${gate.url}/v1/status`, { headers: { authorization: `Bearer ${key}` } })),
        [401, 'GW_KEY_REVOKED'],
      );
      assert.deepEqual(await refusal(await send(`${url}/${id}/rotate`, 'POST', {})), [409, 'GW_KEY_ENDED']);
      assert.deepEqual(await (await send(`${url}/${id}`, 'DELETE')).json(), {
        object: 'gateway.key',
        id,
        deleted: true,
      });
      assert.deepEqual(await refusal(await send(`${url}/${id}`, 'GET')), [404, 'GW_KEY_UNKNOWN']);

      const log = (await (await send(`${gate.server.adminUrl}/admin/v1/audit?limit=100`, 'GET')).json()) as {
        data: { action: string; result: string; actor: { key: string } }[];
      };
      assert.deepEqual(log.data.map(({ action, result, actor }) => `${actor.key} ${action} ${result}`).reverse(), [
        'token key.create ok',
        'token key.change ok',
        'token key.rotate ok',
        'token key.revoke ok',
        'token key.rotate refused',
        'token key.delete ok',
      ]);
      assert.deepEqual(identity.audit.list({ limit: 100 }).length, 6);
    });
  });

  const WRONG: readonly (readonly [string, string, string, unknown, Record<string, string>, number, string])[] = [
    [
      'a form of a web page',
      'POST',
      '/keys',
      'name=a',
      { 'content-type': 'application/x-www-form-urlencoded' },
      415,
      'GW_REQUEST_MEDIA',
    ],
    ['text', 'POST', '/keys', '{"name":"a"}', { 'content-type': 'text/plain' }, 415, 'GW_REQUEST_MEDIA'],
    [
      'a revocation by a form',
      'POST',
      '/keys/vk_000000000000/revoke',
      '',
      { 'content-type': 'text/plain' },
      415,
      'GW_REQUEST_MEDIA',
    ],
    ['JSON that is none', 'POST', '/keys', '{"name":', { 'content-type': 'application/json' }, 400, 'GW_REQUEST_JSON'],
    ['a list', 'POST', '/keys', '[]', { 'content-type': 'application/json' }, 400, 'GW_REQUEST_TYPE'],
    [
      'a field that is none',
      'POST',
      '/keys',
      '{"name":"a","x":1}',
      { 'content-type': 'application/json' },
      400,
      'GW_KEY_FIELD',
    ],
    [
      'a field of every object',
      'POST',
      '/keys',
      '{"name":"a","__proto__":{"roles":["admin"]}}',
      { 'content-type': 'application/json' },
      400,
      'GW_KEY_FIELD',
    ],
    [
      'an overlap without end',
      'POST',
      '/keys/vk_000000000000/rotate',
      '{"overlapMs":1e15}',
      { 'content-type': 'application/json' },
      400,
      'GW_REQUEST_TYPE',
    ],
    [
      'too large a body',
      'POST',
      '/keys',
      `{"name":"${'a'.repeat(70_000)}"}`,
      { 'content-type': 'application/json' },
      413,
      'GW_REQUEST_TOO_LARGE',
    ],
    ['a method that is none', 'PUT', '/keys', '{}', { 'content-type': 'application/json' }, 405, 'GW_METHOD'],
    ['a method of every object', 'constructor', '/keys', undefined, {}, 400, 'GW_REQUEST_HTTP'],
    ['a path that is none', 'GET', '/secrets', undefined, {}, 404, 'GW_NOT_FOUND'],
    ['a number that is none', 'GET', '/audit?limit=0', undefined, {}, 400, 'GW_REQUEST_TYPE'],
    [
      'an expert that is none',
      'POST',
      '/experts/nobody/drain',
      '{}',
      { 'content-type': 'application/json' },
      404,
      'GW_EXPERT_UNKNOWN',
    ],
    [
      'a reload without a file',
      'POST',
      '/config/reload',
      '{}',
      { 'content-type': 'application/json' },
      409,
      'GW_ADMIN_NO_FILE',
    ],
    ['another host name', 'GET', '/keys', undefined, { host: 'evil.example' }, 403, 'GW_HOST'],
    ['a token in the URL', 'GET', `/keys?token=${TOKEN}`, undefined, {}, 400, 'GW_REQUEST_KEY'],
  ];
  for (const [name, method, path, body, headers, status, code] of WRONG) {
    test(`refuses ${name}`, async () => {
      await withKey({}, async ({ gate, identity }) => {
        const answer = await raw(
          `${gate.server.adminUrl}/admin/v1${path}`,
          method,
          { ...token, ...headers },
          body as string,
        );
        assert.deepEqual([answer.status, wireError(JSON.parse(answer.text))?.code], [status, code]);
        assert.equal(answer.text.includes(TOKEN), false);
        assert.equal(identity.keys.list().length, 1);
      });
    });
  }

  test('takes an expert out, puts it back, and closes its breaker', async () => {
    await withKey({}, async ({ gate, headers }) => {
      const experts = `${gate.server.adminUrl}/admin/v1/experts`;
      const answeredBy = async () =>
        (await chat(gate.url, chatBody('gw/first'), { headers })).headers.get('x-gw-expert');
      assert.equal(await answeredBy(), 'one');
      assert.equal(
        ((await (await send(`${experts}/one/drain`, 'POST', {})).json()) as { drained: boolean }).drained,
        true,
      );
      assert.equal(await answeredBy(), 'two');
      assert.equal((await chat(gate.url, chatBody('one'), { headers })).status, 400);
      // A reload that leaves it as it was, or changes it, does not put it back.
      gate.gateway.reconfigure(gate.gateway.runtime.config);
      assert.equal(await answeredBy(), 'two');
      await send(`${experts}/one/restore`, 'POST', {});
      assert.equal(await answeredBy(), 'one');

      const live = gate.gateway.runtime.experts[0]!;
      live.breaker.open(Date.now(), 'failures');
      assert.equal(await answeredBy(), 'two');
      const reset = (await (await send(`${experts}/one/breaker/reset`, 'POST', {})).json()) as { breaker: string };
      assert.equal(reset.breaker, 'closed');
      assert.equal(await answeredBy(), 'one');
    });
  });

  test('shows what everybody spent', async () => {
    await withKey({}, async ({ gate, headers }) => {
      await (await chat(gate.url, chatBody('gw/first'), { headers })).arrayBuffer();
      const answer = await send(`${gate.server.adminUrl}/admin/v1/usage`, 'GET');
      const { object, data } = (await answer.json()) as { object: string; data: unknown[] };
      assert.deepEqual([answer.status, object, data.length], [200, 'gateway.usage', 1]);
    });
  });

  test('shows the configuration without what could be a secret', async () => {
    const gate = await startGateway(
      { ...pool(expertAt('one', expert.url, {}, { apiKeyEnv: 'UP' })), admin: { port: 0 } },
      { env: { GATEWRIGHT_ADMIN_TOKEN: TOKEN, UP: 'up-secret' } },
    );
    const text = await (await send(`${gate.server.adminUrl}/admin/v1/config`, 'GET')).text();
    assert.match(text, /"apiKeyEnv":"UP"/);
    for (const secret of ['up-secret', TOKEN]) assert.equal(text.includes(secret), false);
    await gate.close();
  });

  test('nor what stands in a configuration though it should not', () => {
    const shown = withoutSecrets({
      baseUrl: 'https://ada:hush@example.com/v1?sig=hush',
      plain: 'http://127.0.0.1:8000/v1',
      headers: { 'x-team': 'hush' },
      options: [{ apiKey: 'hush', apiKeyEnv: 'UP', password: 'hush', maxTokens: 7, keywords: ['sum'] }],
      note: 'sk-abcdefgh12345678',
    });
    assert.deepEqual(shown, {
      baseUrl: 'https://redacted@example.com/v1?sig=redacted',
      plain: 'http://127.0.0.1:8000/v1',
      headers: { 'x-team': '[redacted]' },
      options: [{ apiKey: '[redacted]', apiKeyEnv: 'UP', password: '[redacted]', maxTokens: 7, keywords: ['sum'] }],
      note: '[redacted]',
    });
  });

  test('reads the configuration file again, and says why not', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'gw-admin-'));
    const file = join(folder, 'gatewright.yaml');
    const content = { version: 1, ...pool(expertAt('one', expert.url)), admin: { port: 0 }, server: { port: 0 } };
    writeFileSync(file, JSON.stringify(content));
    const identity = openIdentity(folder);
    const gate = await startGateway(content, { identity, env: { GATEWRIGHT_ADMIN_TOKEN: TOKEN } });
    const stop = watchConfig(file, gate.gateway, () => {});
    const url = `${gate.server.adminUrl}/admin/v1/config/reload`;
    const unchanged = (await (await send(url, 'POST', {})).json()) as { status: string };
    assert.equal(unchanged.status, 'unchanged');
    writeFileSync(
      file,
      JSON.stringify({ ...content, modes: { only: { policy: { use: 'static' }, composition: { use: 'single' } } } }),
    );
    assert.equal((await send(url, 'POST', {})).status, 200);
    assert.deepEqual(Object.keys(gate.gateway.runtime.config.modes), ['only']);
    writeFileSync(file, 'experts: [');
    assert.deepEqual(await refusal(await send(url, 'POST', {})), [422, 'GW_CONFIG']);
    assert.deepEqual(Object.keys(gate.gateway.runtime.config.modes), ['only']);
    stop();
    await gate.close();
    const log = readFileSync(join(folder, 'audit.jsonl'), 'utf8').trimEnd().split('\n');
    assert.deepEqual(
      log.map((line) => JSON.parse(line).body.result),
      ['ok', 'ok', 'ok', 'failed'],
    );
    assert.deepEqual((await verifyAudit(join(folder, 'audit.jsonl'))).faults, []);
    rmSync(folder, { recursive: true });
  });
});

test('roles and scopes are the ones that the documents list', () => {
  const text = readFileSync(new URL('../../../docs/http.md', import.meta.url), 'utf8');
  for (const word of [...ROLES, ...SCOPES]) assert.match(text, new RegExp(`\`${word}\``), word);
});

/** A request that fetch would not send: any method, any host. */
function raw(
  url: string,
  method: string,
  headers: Record<string, string>,
  body?: string,
): Promise<{ status: number; text: string }> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part: string) => (text += part));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
      response.on('error', reject);
    });
    request.on('error', reject);
    request.end(body);
  });
}

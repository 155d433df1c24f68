/** What one key may see and ask for, and another may not, over HTTP. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { type Identity, memoryIdentity } from '../src/identity/administration.ts';
import type { KeyFields } from '../src/identity/key-fields.ts';
import { chat, chatBody, expertAt, pool, post, startGateway, type TestGateway, until, wireError } from './helpers.ts';
import { type Upstream, upstream } from './upstream.ts';

const STATIC = 'a-long-key-of-the-environment';
let expert: Upstream;
let identity: Identity;
let gate: TestGateway;

before(async () => {
  expert = await upstream(() => 'ok');
  identity = memoryIdentity();
  const embedding = (id: string) => expertAt(id, expert.url, { kind: 'embedding' }, { model: 'm-small' });
  gate = await startGateway(
    {
      ...pool(expertAt('one', expert.url), expertAt('two', expert.url), embedding('vec-eu'), embedding('vec-us')),
      aliases: { 'gpt-4': 'gw/first', small: 'two', 'any-*': 'one' },
    },
    { identity, env: { GATEWRIGHT_API_KEY: STATIC } },
  );
});
after(async () => {
  await gate?.close();
  await expert.close();
});

const bearer = (key: string): { headers: Record<string, string> } => ({ headers: { authorization: `Bearer ${key}` } });
function made(fields: Partial<KeyFields> = {}): { id: string; headers: Record<string, string> } {
  const { record, key } = identity.keys.create({ name: 'app', ...fields });
  return { id: record.id, ...bearer(key) };
}
async function refusal(answer: Response): Promise<readonly [number, string | undefined]> {
  return [answer.status, wireError(await answer.json())?.code];
}
async function asked(given: { headers: Record<string, string> }): Promise<string> {
  const answer = await chat(gate.url, chatBody('gw/first'), given);
  await answer.text();
  return answer.headers.get('x-gw-trace')!;
}
async function traces(given: { headers: Record<string, string> }, query = ''): Promise<Record<string, unknown>> {
  return (await (await fetch(`${gate.url}/v1/traces${query}`, given)).json()) as Record<string, unknown>;
}
const idsOf = (page: Record<string, unknown>): string[] => (page['data'] as { id: string }[]).map(({ id }) => id);

describe('traces', () => {
  test('are shown to the key that asked, to administrators and to keys of the environment, and to nobody else', async () => {
    const [own, other, admin] = [made(), made({ scopes: ['traces'] }), made({ roles: ['use', 'admin'] })];
    const id = await asked(own);
    for (const who of [own, admin, bearer(STATIC)]) {
      assert.ok(idsOf(await traces(who)).includes(id));
      assert.equal((await fetch(`${gate.url}/v1/traces/${id}`, who)).status, 200);
    }
    assert.deepEqual(idsOf(await traces(other)), []);
    assert.deepEqual(await refusal(await fetch(`${gate.url}/v1/traces/${id}`, other)), [404, 'GW_TRACE_UNKNOWN']);
  });

  test('are judged by the key that asked, by verifiers and by keys of the environment, and by nobody else', async () => {
    const [own, other, verifier] = [made(), made(), made({ roles: ['use', 'verifier'] })];
    const id = await asked(own);
    const judge = (who: { headers: Record<string, string> }) =>
      post(`${gate.url}/v1/feedback`, { trace: id, correct: true }, who);
    assert.deepEqual(await refusal(await judge(other)), [404, 'GW_TRACE_UNKNOWN']);
    for (const who of [own, verifier, bearer(STATIC)]) assert.equal((await judge(who)).status, 200);
  });

  test('of one key are found page by page among those of others', async () => {
    const own = made();
    const expected: string[] = [];
    for (let n = 0; n < 3; n++) {
      expected.unshift(await asked(own));
      await asked(bearer(STATIC));
      await asked(bearer(STATIC));
    }
    const found: string[] = [];
    for (let before = ''; ; ) {
      const page = await traces(own, `?limit=2${before === '' ? '' : `&before=${before}`}`);
      assert.ok(idsOf(page).length <= 2);
      found.push(...idsOf(page));
      if (page['has_more'] !== true) break;
      before = page['last_id'] as string;
    }
    assert.deepEqual(found, expected);
  });

  test('live, too; and whoever watches is cut off when the key is revoked', async () => {
    const [own, other, boss] = [made(), made(), made({ roles: ['use', 'admin'] })];
    const watch = async (given: { headers: Record<string, string> }) => {
      const response = await fetch(`${gate.url}/v1/live`, given);
      const seen = { text: '', isOver: false };
      void (async () => {
        const decoder = new TextDecoder();
        for await (const part of response.body!) seen.text += decoder.decode(part as Uint8Array);
        seen.isOver = true;
      })().catch(() => {});
      await until(() => seen.text.includes('watching'), 'the feed begins');
      return seen;
    };
    const [mine, theirs, all] = [await watch(own), await watch(other), await watch(boss)];
    const id = await asked(own);
    await until(() => mine.text.includes(id) && all.text.includes(id), 'the trace is shown');
    await post(`${gate.url}/v1/feedback`, { trace: id, score: 1 }, own);
    const last = await asked(other);
    await until(() => theirs.text.includes(last) && all.text.includes(last), 'the other trace is shown');
    assert.ok(!theirs.text.includes(id) && !mine.text.includes(last));
    identity.keys.revoke(boss.id);
    const behind = await asked(own);
    await until(() => all.isOver && mine.text.includes(behind), 'the revoked watcher is cut off');
    assert.ok(!all.text.includes(behind));
  });
});

describe('what a key demands', () => {
  test('holds for every request of it, and a request can only add to it', async () => {
    const key = made({ requires: { residency: ['eu', 'us'], privacy: 'internal' } });
    const removedOf = async (headers: Record<string, string>): Promise<string> => {
      const answer = await post(`${gate.url}/v1/route`, chatBody('gw/first'), {
        headers: { ...key.headers, ...headers },
      });
      assert.deepEqual([answer.status], [400]);
      return wireError(await answer.json())!.message;
    };
    assert.match(await removedOf({}), /stays in eu, us/);
    assert.match(await removedOf({ 'x-gw-residency': 'eu,asia', 'x-gw-privacy': 'public' }), /stays in eu, the/);
    for (const [path, body] of [
      ['chat/completions', chatBody('one')],
      ['messages', chatBody('one', { max_tokens: 5 })],
      ['messages/count_tokens', chatBody('one')],
      ['responses', { model: 'one', input: 'x' }],
      ['embeddings', { model: 'vec-eu', input: 'x' }],
    ] as const) {
      const answer = await post(`${gate.url}/v1/${path}`, body, key);
      assert.match(await answer.text(), /residency/, path);
      assert.equal(answer.status, 400, path);
    }
    identity.keys.change(key.id, { requires: null });
    assert.equal((await chat(gate.url, chatBody('one'), key)).status, 200);
  });
});

describe('models', () => {
  test('a restricted key is told of no others when it asks for what is not there', async () => {
    const key = made({ models: ['gw/*', 'one'] });
    const calls: [string, object][] = [
      ['chat/completions', chatBody('gw/nothing')],
      ['route', chatBody('gw/nothing')],
      ['responses', { model: 'gw/nothing', input: 'x' }],
      ['messages', chatBody('gw/nothing', { max_tokens: 5 })],
      ['messages/count_tokens', chatBody('gw/nothing')],
      ['embeddings', { model: 'gw/nothing', input: 'x' }],
    ];
    for (const [path, body] of calls) {
      const answer = await post(`${gate.url}/v1/${path}`, body, key);
      const text = await answer.text();
      assert.equal(answer.status, 404, `${path}: ${text}`);
      assert.doesNotMatch(text, /\btwo\b|small|vec-/, path);
    }
  });

  test('a list of experts in the body is held against the key wherever it decides', async () => {
    const key = made({ models: ['one', 'gw/*'] });
    for (const path of ['chat/completions', 'route'])
      for (const name of ['two', 'small']) {
        const answer = await post(`${gate.url}/v1/${path}`, chatBody('one', { models: [name] }), key);
        assert.deepEqual(await refusal(answer), [403, 'GW_MODEL_FORBIDDEN'], `${path} ${name}`);
      }
  });

  test('a key in the place of a name, let through by an alias for anything, is not written down', async () => {
    const { record, key } = identity.keys.create({ name: 'app' });
    const answer = await chat(gate.url, chatBody(`any-${key}`), bearer(key));
    await answer.text();
    const shown = await (await fetch(`${gate.url}/v1/traces/${answer.headers.get('x-gw-trace')}`, bearer(key))).text();
    assert.match(shown, /"model":"any-\[redacted\]"/);
    assert.ok(!shown.includes(key.slice(20)) && shown.includes(record.id));
  });

  test('aliases are listed for whoever may ask for what they stand for', async () => {
    const listed = async (models: string[] | null) =>
      ((await (await fetch(`${gate.url}/v1/models`, made({ models }))).json()) as { data: { id: string }[] }).data.map(
        ({ id }) => id,
      );
    assert.deepEqual(await listed(['gw/first']), ['gw/first', 'gpt-4']);
    assert.deepEqual(await listed(['gpt-4', 'small']), []);
    assert.deepEqual(await listed(['two']), ['small', 'two']);
  });

  test('vectors come from experts that the key may name, whatever their servers call the model', async () => {
    const ask = (model: string, models: string[]) =>
      post(`${gate.url}/v1/embeddings`, { model, input: 'x' }, made({ models }));
    assert.deepEqual(await refusal(await ask('m-small', ['m-*'])), [404, 'GW_UNKNOWN_MODEL']);
    assert.deepEqual(await refusal(await ask('vec-us', ['vec-eu'])), [403, 'GW_MODEL_FORBIDDEN']);
    const before = expert.requests.length;
    // The server of this test makes no vectors: whoever was asked is seen by who was not.
    for (const model of ['vec-eu', 'm-small']) await (await ask(model, ['vec-eu'])).text();
    assert.equal(expert.requests.length - before, 2, 'nobody else stands in');
  });
});

/** The log's line for each request. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chat, chatBody, expertAt, pool, startGateway, until } from './helpers.ts';
import { upstream } from './upstream.ts';

test('one line a request, with its trace and without its text, its query or its key', async () => {
  const expert = await upstream('ok');
  const gate = await startGateway({ ...pool(expertAt('a', expert.url)), logs: { requests: true } });
  const answer = await chat(`${gate.url}`, chatBody('gw/first', {}, 'CANARY-text'), {
    headers: { authorization: 'Bearer CANARY-key-123456' },
  });
  await answer.text();
  await (await fetch(`${gate.url}/v1/models?x=CANARY-query`)).text();
  await (await fetch(`${gate.url}/nowhere/stranger-CANARY-0011223344556677`)).text();
  const lines = await until(() => {
    const found = gate.logs.filter(({ message }) => message === 'request');
    return found.length === 3 ? found : undefined;
  }, 'three lines');
  const facts = lines.map(({ fields }) => fields!);
  assert.deepEqual(
    facts.map(({ method, path, status, mode, expert: id, code }) => [method, path, status, mode, id, code]),
    [
      ['POST', '/v1/chat/completions', 200, 'gw/first', 'a', undefined],
      ['GET', '/v1/models', 200, undefined, undefined, undefined],
      ['GET', '/nowhere/...', 404, undefined, undefined, 'GW_NOT_FOUND'],
    ],
  );
  assert.equal(facts[0]!['trace'], answer.headers.get('x-gw-trace'));
  assert.ok((facts[0]!['ms'] as number) >= 0);
  assert.ok(!JSON.stringify(gate.logs).includes('CANARY'));
  await gate.close();
  await expert.close();
});

test('a client that went away is 499, and without the setting there is no line', async () => {
  const expert = await upstream('drip');
  const gate = await startGateway({ ...pool(expertAt('a', expert.url)), logs: { requests: true } });
  const leaving = new AbortController();
  await chat(gate.url, chatBody('gw/first', { stream: true }), { signal: leaving.signal });
  leaving.abort();
  const line = await until(() => gate.logs.find(({ message }) => message === 'request'), 'the line');
  assert.equal(line.fields!['status'], 499);
  await gate.close();
  const quiet = await startGateway(pool(expertAt('a', expert.url)));
  await (await fetch(`${quiet.url}/v1/models`)).text();
  await quiet.close();
  assert.deepEqual(quiet.logs, []);
  await expert.close();
});

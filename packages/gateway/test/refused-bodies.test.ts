/** What becomes of a connection whose request was refused before its body was read. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Agent, type IncomingMessage, request } from 'node:http';
import { after, before, test } from 'node:test';
import { expertAt, pool, startGateway, type TestGateway } from './helpers.ts';

let gate: TestGateway;
before(async () => {
  gate = await startGateway(pool(expertAt('nobody', 'http://127.0.0.1:1/v1')));
});
after(() => gate.close());

async function send(agent: Agent, method: string, path: string, body?: Buffer) {
  const sent = request({
    agent,
    port: gate.port,
    host: '127.0.0.1',
    method,
    path,
    headers: { 'content-type': 'application/json' },
  });
  sent.on('error', () => {});
  sent.end(body);
  const [response] = (await once(sent, 'response')) as [IncomingMessage];
  response.resume();
  await once(response, 'end');
  return { status: response.statusCode, connection: response.headers.connection, isReused: sent.reusedSocket };
}

test('a small body is read past, and the next request takes the same connection', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  assert.equal((await send(agent, 'POST', '/v1/nothing', Buffer.alloc(2_000, 'x'))).status, 404);
  const next = await send(agent, 'GET', '/healthz');
  assert.deepEqual([next.status, next.isReused], [200, true]);
  agent.destroy();
});

test('a large body is not read, and the answer says that the connection ends', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const refused = await send(agent, 'POST', '/v1/nothing', Buffer.alloc(200_000, 'x'));
  assert.deepEqual([refused.status, refused.connection], [404, 'close']);
  assert.equal((await send(agent, 'GET', '/healthz')).isReused, false);
  agent.destroy();
});

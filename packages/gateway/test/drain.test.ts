/** SIGTERM under load: no request is dropped, streams end whole, and what does not end is cut. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Agent, request } from 'undici';
import { withChild } from './child-gateway.ts';
import { chatBody, eventsOf, streamText, until } from './helpers.ts';
import { GOOD_TEXT } from './upstream.ts';

const BODY = (stream: boolean) => ({
  method: 'POST' as const,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(chatBody('gw/first', { stream })),
});

test('under load nobody is dropped, whether the answer is whole or a stream', async () => {
  await withChild(
    (_, { stream }) => (stream ? 'slow' : 'ok'),
    { drainMs: 500 },
    async ({ url, process: child, exited }) => {
      const agent = new Agent({ connections: 32, pipelining: 1 });
      const failures: string[] = [];
      let answered = 0;
      let duringDrain = 0;
      let isTold = false;
      let isReady = true;
      // As a load balancer: asks whether it may send, and sends until it hears that it may not.
      const watch = (async () => {
        while (isReady) {
          const { statusCode, body } = await request(`${url}/readyz`, { dispatcher: agent });
          await body.dump();
          isReady = statusCode === 200;
        }
      })();
      const client = async (stream: boolean): Promise<void> => {
        while (isReady) {
          const begunWhenTold = isTold;
          try {
            const { statusCode, body } = await request(`${url}/v1/chat/completions`, {
              ...BODY(stream),
              dispatcher: agent,
            });
            const text = await body.text();
            const said = stream ? streamText(eventsOf(text)) : JSON.parse(text).choices[0].message.content;
            if (statusCode !== 200 || said !== GOOD_TEXT || (stream && !text.endsWith('data: [DONE]\n\n')))
              failures.push(`${statusCode} ${text.slice(0, 200)}`);
            answered++;
            if (begunWhenTold) duringDrain++;
          } catch (error) {
            failures.push(String(error));
          }
        }
      };
      const clients = Array.from({ length: 24 }, (_, index) => client(index % 2 === 0));
      await until(() => answered > 100, 'load');
      isTold = true;
      child.kill('SIGTERM');
      await Promise.all([watch, ...clients]);
      assert.deepEqual(failures, []);
      assert.ok(duringDrain > 0, 'requests that began after the signal were answered too');
      const [code] = (await exited) as [number | null];
      assert.equal(code, 0);
      await agent.close();
    },
  );
});

test('while it drains, /readyz says so, requests are answered and each is the last of its connection', async () => {
  await withChild('ok', { drainMs: 3_000 }, async ({ url, process: child }) => {
    child.kill('SIGTERM');
    const draining = await until(async () => {
      const response = await fetch(`${url}/readyz`);
      const body = (await response.json()) as { status: string };
      return response.status === 503 && body.status === 'draining';
    }, 'draining');
    assert.ok(draining);
    const { statusCode, headers, body } = await request(`${url}/v1/chat/completions`, BODY(false));
    assert.deepEqual([statusCode, headers['connection']], [200, 'close']);
    await body.dump();
    assert.equal((await fetch(`${url}/healthz`)).status, 200, 'it is not dead');
  });
});

test('what does not end by itself is cut after the grace', async () => {
  await withChild('drip', { drainMs: 0, graceMs: 300 }, async ({ url, process: child, exited }) => {
    const { body } = await request(`${url}/v1/chat/completions`, BODY(true));
    const ended = body.text().then(
      () => 'ended',
      () => 'cut',
    );
    child.kill('SIGTERM');
    const [code] = (await exited) as [number | null];
    assert.equal(code, 0);
    assert.equal(await ended, 'cut');
  });
});

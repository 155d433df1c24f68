/** Clients that are slow, go away, come in great numbers or reuse their connection. */
import assert from 'node:assert/strict';
import { fork, spawnSync } from 'node:child_process';
import { Agent, request as httpRequest, type IncomingMessage } from 'node:http';
import { connect } from 'node:net';
import { describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import {
  chat,
  chatBody,
  eventsOf,
  expertAt,
  metric,
  pause,
  pool,
  raw,
  rawChat,
  silentSocket,
  startGateway,
  streamText,
  type TestGateway,
  traceOf,
  until,
} from './helpers.ts';
import { GOOD_TEXT, type Script, type Upstream, upstream } from './upstream.ts';

interface Bench {
  readonly gate: TestGateway;
  readonly expert: Upstream;
  close(): Promise<void>;
}

async function bench(script: Script, config: object = {}): Promise<Bench> {
  const expert = await upstream(script);
  const gate = await startGateway({ ...pool(expertAt('one', expert.url)), ...config });
  return {
    gate,
    expert,
    async close() {
      await gate.close(100);
      await expert.close();
    },
  };
}

/** Time for slow upstreams. */
const PATIENT = { timeouts: { connectMs: 400, firstByteMs: 5_000, idleMs: 5_000, totalMs: 30_000 } };

describe('a client that does not read', () => {
  test('pauses the upstream, is cut after clientStallMs and ends the upstream call', async () => {
    const { gate, expert, close } = await bench('flood', { ...PATIENT, server: { clientStallMs: 300 } });
    try {
      const socket = await silentSocket(gate.port);
      socket.write(rawChat(chatBody('gw/alone', { stream: true })));
      await until(() => expert.requests.length === 1, 'the upstream call');
      // The kernel's buffers on both connections fill up first; then nothing more may flow.
      let before = -1;
      await until(async () => {
        const now = expert.bytesSent;
        if (now === before && now > 0) return true;
        before = now;
        await pause(60);
        return false;
      }, 'the upstream standing still');
      assert.ok(expert.bytesSent < 32_000_000, `${expert.bytesSent} bytes were taken from the upstream`);
      await until(() => expert.aborted === 1, 'the upstream call aborted', 3_000);
      const trace = await traceOf(gate.gateway.store);
      assert.equal(trace.result.status, 'cancelled');
      assert.equal(trace.result.httpStatus, 499);
      assert.ok(trace.result.costUsd > 0, 'what had come is paid for');
      socket.destroy();
    } finally {
      await close();
    }
  });

  test('of a whole answer is cut after clientStallMs too', async () => {
    const { gate, close } = await bench('large', { ...PATIENT, server: { clientStallMs: 200 } });
    try {
      const socket = await silentSocket(gate.port);
      socket.write(rawChat(chatBody('gw/alone')));
      await traceOf(gate.gateway.store);
      await pause(600);
      let bytes = 0;
      socket.on('data', (part: Buffer) => (bytes += part.length));
      socket.resume();
      await new Promise((resolve) => socket.on('close', resolve));
      assert.ok(bytes < 20_000_000, `${bytes} bytes arrived: the answer was still held`);
    } finally {
      await close();
    }
  });

  test('but reads again in time gets everything', async () => {
    const { gate, expert, close } = await bench('longStream', { ...PATIENT, server: { clientStallMs: 2_000 } });
    try {
      const socket = await silentSocket(gate.port);
      socket.write(rawChat(chatBody('gw/alone', { stream: true }), 'connection: close\r\n'));
      await until(() => expert.requests.length === 1, 'the upstream call');
      await pause(250);
      let text = '';
      socket.on('data', (part: Buffer) => (text += part.toString('latin1')));
      socket.resume();
      await new Promise((resolve) => socket.on('end', resolve));
      assert.ok(text.includes('data: [DONE]'));
      assert.equal(text.split('zzzz').length > 1, true);
      assert.equal((await traceOf(gate.gateway.store)).result.status, 'ok');
    } finally {
      await close();
    }
  });
});

describe('a client that goes away', () => {
  const goneCases = [
    { name: 'before a whole answer', script: 'silent', stream: false, begun: false },
    { name: 'in the middle of a stream', script: 'drip', stream: true, begun: true },
    { name: 'before a stream begins', script: 'silent', stream: true, begun: false },
  ] as const;
  for (const { name, script, stream, begun } of goneCases) {
    test(`${name} ends the upstream call within 200 ms and is booked as cancelled`, async () => {
      const { gate, expert, close } = await bench(script, PATIENT);
      try {
        const controller = new AbortController();
        const asked = chat(gate.url, chatBody('gw/first', { stream }), { signal: controller.signal });
        asked.catch(() => {});
        if (begun) {
          const reader = (await asked).body!.getReader();
          let read = 0;
          while (read < 600) read += (await reader.read()).value!.length;
        } else await until(() => expert.requests.length === 1, 'the upstream call');
        const goneMs = Date.now();
        controller.abort();
        await until(() => expert.aborted === 1, 'the upstream call aborted');
        assert.ok(expert.requests[0]!.abortedAtMs! - goneMs < 200, `${expert.requests[0]!.abortedAtMs! - goneMs} ms`);
        const trace = await traceOf(gate.gateway.store);
        assert.equal(trace.result.status, 'cancelled');
        assert.equal(trace.result.httpStatus, 499);
        assert.equal(trace.calls[0]!.status, 'cancelled');
        assert.equal(trace.calls[0]!.tokensFrom, 'estimate');
        assert.ok(trace.calls[0]!.promptTokens > 0);
        assert.equal(trace.calls[0]!.completionTokens > 0, begun, 'the part that had come is booked');
        assert.ok(trace.result.costUsd > 0);
        assert.equal(await metric(gate.gateway, 'gatewright_client_gone_total'), 1);
        assert.equal(gate.gateway.runtime.experts[0]!.inFlight, 0);
        assert.equal(
          gate.gateway.runtime.experts[0]!.breaker.status(Date.now()).failuresInARow,
          0,
          'it does not count against the expert',
        );
      } finally {
        await close();
      }
    });
  }

  test('with two requests on one connection ends the calls of both', async () => {
    const { gate, expert, close } = await bench('silent', PATIENT);
    try {
      const socket = connect(gate.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(rawChat(chatBody('gw/alone')) + rawChat(chatBody('gw/alone')));
      await until(() => expert.requests.length === 2, 'both upstream calls');
      socket.destroy();
      await until(() => expert.aborted === 2, 'both upstream calls aborted', 1_000);
    } finally {
      await close();
    }
  });

  test('while it sends its request is no error of the gateway', async () => {
    const { gate, close } = await bench('ok');
    try {
      const socket = connect(gate.port, '127.0.0.1');
      socket.on('error', () => {});
      socket.write(rawChat(chatBody('gw/alone')).slice(0, -10));
      await pause(50);
      socket.destroy();
      assert.equal((await chat(gate.url, chatBody('gw/alone'))).status, 200);
      assert.deepEqual(gate.logs, []);
    } finally {
      await close();
    }
  });
});

describe('a connection', () => {
  test('is used again after errors of every kind', async () => {
    const { gate, close } = await bench((number) => (number === 1 ? 'status500' : 'ok'));
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    try {
      const ports = new Set<number>();
      const send = (body: string, path = '/v1/chat/completions'): Promise<number> =>
        new Promise((resolve, reject) => {
          const request = httpRequest(
            `${gate.url}${path}`,
            { method: 'POST', agent, headers: { 'content-type': 'application/json' } },
            (response) => {
              ports.add(request.socket!.localPort!);
              response.resume();
              response.on('end', () => resolve(response.statusCode!));
            },
          );
          request.on('error', reject);
          request.end(body);
        });
      const good = JSON.stringify(chatBody('gw/alone'));
      assert.equal(await send(good), 200);
      assert.equal(await send('{"model": '), 400);
      assert.equal(await send(JSON.stringify(chatBody('nobody'))), 404);
      assert.equal(await send(good), 502);
      assert.equal(await send(good), 200);
      assert.equal(ports.size, 1, 'one connection served them all');
    } finally {
      agent.destroy();
      await close();
    }
  });

  test('answers pipelined requests in their order', async () => {
    const { gate, close } = await bench('echo');
    try {
      const bytes = [1, 2, 3, 4]
        .map((n) => rawChat(chatBody('gw/alone', {}, `p${n}`), n === 4 ? 'connection: close\r\n' : ''))
        .join('');
      const { text } = await raw(gate.port, bytes, 3_000);
      assert.deepEqual(text.match(/echo p\d/g), ['echo p1', 'echo p2', 'echo p3', 'echo p4']);
    } finally {
      await close();
    }
  });

  test('of HTTP/1.0 gets streams and whole answers too', async () => {
    const { gate, close } = await bench('ok');
    try {
      for (const stream of [false, true]) {
        const bytes = rawChat(chatBody('gw/alone', { stream })).replace('HTTP/1.1', 'HTTP/1.0');
        const { text, isClosed } = await raw(gate.port, bytes, 3_000);
        assert.match(text, /^HTTP\/1\.1 200 /);
        assert.equal(isClosed, true);
        assert.ok(stream ? text.endsWith('data: [DONE]\n\n') : text.includes(GOOD_TEXT), text);
      }
    } finally {
      await close();
    }
  });
});

describe('many clients', () => {
  test('five hundred at a time all get their own answer', async () => {
    const { gate, expert, close } = await bench('echo', PATIENT);
    try {
      await Promise.all(
        Array.from({ length: 500 }, async (_, n) => {
          const stream = n % 2 === 0;
          const response = await chat(gate.url, chatBody('gw/first', { stream }, `client ${n}.`));
          const text = await response.text();
          assert.equal(response.status, 200);
          const said = stream ? streamText(eventsOf(text)) : JSON.parse(text).choices[0].message.content;
          assert.equal(said, `echo client ${n}.`);
        }),
      );
      assert.equal(expert.requests.length, 500);
      const traces = await gate.gateway.store.list({ limit: 1000 });
      assert.equal(new Set(traces.map(({ id }) => id)).size, 500);
    } finally {
      await close();
    }
  });

  test('ten thousand idle connections do not keep a request waiting', async (context) => {
    const limit = Number(spawnSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }).stdout) || Infinity;
    if (limit < 10_500) {
      context.skip(`needs 10500 open files a process, the limit here is ${limit}`);
      return;
    }
    const { gate, close } = await bench('ok', PATIENT);
    const child = fork(fileURLToPath(new URL('./connections.ts', import.meta.url)), [String(gate.port), '10000'], {
      execArgv: ['--disable-warning=ExperimentalWarning'],
    });
    try {
      const report = await new Promise<{ open: number; failure?: string }>((resolve) =>
        child.once('message', (message) => resolve(message as { open: number })),
      );
      assert.deepEqual(report, { open: 10_000 });
      const startMs = performance.now();
      const response = await chat(gate.url, chatBody('gw/first'));
      assert.equal(response.status, 200);
      await response.text();
      assert.ok(performance.now() - startMs < 2_000);
      child.send('close');
      await new Promise((resolve) => child.once('exit', resolve));
    } finally {
      child.kill('SIGKILL');
      await close();
    }
  });

  test('above maxConnections are turned away while the others are served', async () => {
    const { gate, close } = await bench('ok', { server: { maxConnections: 3 } });
    try {
      const sockets = await Promise.all([1, 2, 3].map(() => silentSocket(gate.port)));
      await pause(20);
      const { text, isClosed } = await raw(gate.port, rawChat(chatBody('gw/alone')), 1_000);
      assert.deepEqual([text, isClosed], ['', true]);
      sockets[0]!.destroy();
      await pause(20);
      assert.equal((await chat(gate.url, chatBody('gw/alone'))).status, 200);
      for (const socket of sockets) socket.destroy();
    } finally {
      await close();
    }
  });
});

describe('close', () => {
  test('lets twenty streams under way finish, takes no new ones and ends soon after the last', async () => {
    const { gate, expert, close } = await bench('slow', PATIENT);
    const agent = new Agent({ keepAlive: true });
    try {
      const streams = Array.from({ length: 20 }, () => streamOn(gate, agent));
      await until(() => expert.requests.length === 20, 'twenty upstream calls');
      const startMs = performance.now();
      const closed = gate.server.close(5_000);
      await assert.rejects(chat(gate.url, chatBody('gw/alone')), 'nobody listens any more');
      for (const text of await Promise.all(streams)) {
        assert.equal(streamText(eventsOf(text)), GOOD_TEXT);
        assert.equal(eventsOf(text).at(-1), '[DONE]');
      }
      const doneMs = performance.now();
      await closed;
      assert.ok(
        performance.now() - doneMs < 1_000,
        `idle connections kept it open for ${performance.now() - doneMs} ms`,
      );
      assert.ok(doneMs - startMs < 3_000);
      assert.equal((await gate.gateway.store.list({ limit: 100 })).length, 20);
    } finally {
      agent.destroy();
      await close();
    }
  });

  test('cuts what is not over after the grace time, and keeps the traces of it', async () => {
    const { gate, expert, close } = await bench('drip', PATIENT);
    try {
      const streams = Array.from({ length: 5 }, () => streamOn(gate, undefined).catch(() => 'cut'));
      await until(() => expert.requests.length === 5, 'five upstream calls');
      await gate.server.close(80);
      for (const text of await Promise.all(streams)) assert.ok(!text.includes('[DONE]'));
      const traces = await gate.gateway.store.list({ limit: 100 });
      assert.deepEqual(
        traces.map(({ result }) => result.status),
        Array(5).fill('cancelled'),
      );
      assert.equal(expert.open, 0);
    } finally {
      await close();
    }
  });

  test('twice waits for the same end', async () => {
    const { gate, close } = await bench('ok');
    await Promise.all([gate.server.close(), gate.server.close()]);
    await assert.rejects(fetch(`${gate.url}/healthz`));
    await close();
  });
});

function streamOn(gate: TestGateway, agent: Agent | undefined): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(
      `${gate.url}/v1/chat/completions`,
      { method: 'POST', headers: { 'content-type': 'application/json' }, ...(agent === undefined ? {} : { agent }) },
      (response: IncomingMessage) => {
        let text = '';
        response.on('data', (part: Buffer) => (text += part.toString('utf8')));
        response.on('end', () => resolve(text));
        response.on('error', reject);
      },
    );
    request.on('error', reject);
    request.end(JSON.stringify(chatBody('gw/alone', { stream: true })));
  });
}

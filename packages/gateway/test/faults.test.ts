/** Every way in which an expert can fail, and what the client, the trace and the second expert see of it. */
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import OpenAI, { APIError, BadRequestError, InternalServerError, NotFoundError, RateLimitError } from 'openai';
import { FAULT_CASES, type FaultCase } from './fault-cases.ts';
import {
  chat,
  chatBody,
  eventsOf,
  expertAt,
  pool,
  startGateway,
  streamText,
  type TestGateway,
  traceOf,
  wireError,
} from './helpers.ts';
import { type Behaviour, closedPort, GOOD_TEXT, MULTI_BYTE_TEXT, type Upstream, upstream } from './upstream.ts';

const SECRET = 'sk-test-SECRET-9f8e7d6c5b4a3210';
const ODD_SECRET = 'correct.horse.battery.staple';

interface Bench {
  readonly gate: TestGateway;
  readonly faulty: Upstream | undefined;
  readonly healthy: Upstream;
  close(): Promise<void>;
}

async function bench(fault: Behaviour | 'refused', key = SECRET): Promise<Bench> {
  const faulty = fault === 'refused' ? undefined : await upstream(fault);
  const healthy = await upstream('ok');
  const url = faulty?.url ?? `http://127.0.0.1:${await closedPort()}/v1`;
  const gate = await startGateway(
    pool(expertAt('broken', url, {}, { apiKeyEnv: 'KEY', maxAnswerBytes: 8_192 }), expertAt('good', healthy.url)),
    { env: { KEY: key } },
  );
  return {
    gate,
    faulty,
    healthy,
    async close() {
      await gate.close();
      await faulty?.close();
      await healthy.close();
    },
  };
}

describe('with a second expert', { concurrency: 6 }, () => {
  for (const row of FAULT_CASES) {
    test(`${row.fault} as ${row.form}: ${outcomeOf(row)}`, async () => {
      const { gate, faulty, healthy, close } = await bench(row.fault);
      try {
        const response = await chat(gate.url, chatBody('gw/first', { stream: row.form === 'stream' }));
        const text = await response.text();
        const trace = await traceOf(gate.gateway.store, response.headers.get('x-gw-trace'));
        const [first, second] = trace.calls;
        assert.equal(first!.expert, 'broken');
        assert.equal(first!.status, 'error');
        assert.equal(first!.error!.code, row.code);
        assert.equal(first!.error!.elsewhere, row.next !== 'nobody');
        assert.equal(first!.error!.status, row.upstreamStatus);
        assert.ok(faulty === undefined || faulty.requests.length === 1, 'the broken expert is asked once');
        await nothingOpen(gate);
        if (row.next === 'other') {
          assert.equal(response.status, 200);
          assert.equal(response.headers.get('x-gw-expert'), 'good');
          assert.equal(healthy.requests.length, 1);
          assert.equal(second!.status, 'ok');
          assert.equal(trace.result.status, 'ok');
          assert.equal(trace.result.expert, 'good');
          if (row.form === 'json') assert.equal(JSON.parse(text).choices[0].message.content, GOOD_TEXT);
          else assert.deepEqual([streamText(eventsOf(text)), eventsOf(text).at(-1)], [GOOD_TEXT, '[DONE]']);
          return;
        }
        assert.equal(healthy.requests.length, 0, 'the second expert is not asked');
        assert.equal(trace.result.status, 'error');
        assert.equal(trace.result.errorCode, row.code);
        assert.equal(trace.result.httpStatus, row.status);
        if (row.next === 'nobody') {
          assert.equal(response.status, row.status);
          checkError(text, row);
        } else checkBrokenStream(text, row, first!.released);
      } finally {
        await close();
      }
    });
  }
});

describe('alone', { concurrency: 6 }, () => {
  for (const row of FAULT_CASES) {
    test(`${row.fault} as ${row.form} is ${row.next === 'late' ? 'an error event' : row.status} with ${row.code}`, async () => {
      const { gate, healthy, close } = await bench(row.fault);
      try {
        const response = await chat(gate.url, chatBody('gw/alone', { stream: row.form === 'stream' }));
        const text = await response.text();
        const trace = await traceOf(gate.gateway.store, response.headers.get('x-gw-trace'));
        assert.equal(trace.result.errorCode, row.code);
        assert.equal(trace.calls.length, 1);
        assert.equal(healthy.requests.length, 0);
        assert.equal(response.headers.get('retry-after'), row.fault === 'rateLimited' ? '7' : null);
        if (row.next === 'late') checkBrokenStream(text, row, trace.calls[0]!.released);
        else {
          assert.equal(response.status, row.status);
          assert.match(response.headers.get('content-type') ?? '', /^application\/json/);
          assert.equal(response.headers.get('x-gw-expert'), null);
          checkError(text, row);
        }
      } finally {
        await close();
      }
    });
  }
});

function outcomeOf(row: FaultCase): string {
  if (row.next === 'other') return 'the second expert answers';
  return row.next === 'nobody' ? `status ${row.status}, nobody else is asked` : 'an error event and no [DONE]';
}

function checkError(text: string, row: FaultCase): void {
  const error = wireError(JSON.parse(text));
  assert.ok(error !== undefined, text);
  assert.equal(error.code, row.wireCode ?? row.code);
  assert.equal(error.gateway.code, row.code);
  assert.equal(error.gateway['upstream_status'], row.upstreamStatus);
  assert.match(String(error.gateway['trace']), /^tr_/);
}

function checkBrokenStream(text: string, row: FaultCase, released: boolean): void {
  const events = eventsOf(text);
  assert.ok(!text.includes('[DONE]'), 'a broken stream does not look like a clean end');
  assert.match(streamText(events.slice(0, -1)), /^(It is |x+$)/);
  assert.equal(released, true);
  checkError(JSON.stringify(events.at(-1)), row);
}

/** No call is left over: counters are back to nothing under way. */
async function nothingOpen(gate: TestGateway): Promise<void> {
  for (const live of gate.gateway.runtime.experts) assert.equal(live.inFlight, 0, `${live.expert.id} in flight`);
}

describe('not a fault', { concurrency: 6 }, () => {
  const fine: readonly [Behaviour, 'json' | 'stream', string][] = [
    ['ok', 'json', GOOD_TEXT],
    ['ok', 'stream', GOOD_TEXT],
    ['splitCharacters', 'json', MULTI_BYTE_TEXT],
    ['splitCharacters', 'stream', MULTI_BYTE_TEXT],
    ['crlf', 'stream', GOOD_TEXT],
    ['comments', 'stream', GOOD_TEXT],
    ['oneEventOverManyChunks', 'stream', GOOD_TEXT],
    ['noDone', 'stream', GOOD_TEXT],
    ['doneButOpen', 'stream', GOOD_TEXT],
    ['slow', 'stream', GOOD_TEXT],
  ];
  for (const [behaviour, form, expected] of fine) {
    test(`${behaviour} as ${form} arrives whole, in order and with a clean end`, async () => {
      const { gate, healthy, close } = await bench(behaviour);
      try {
        const startMs = performance.now();
        const response = await chat(gate.url, chatBody('gw/first', { stream: form === 'stream' }));
        const text = await response.text();
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('x-gw-expert'), 'broken');
        assert.equal(healthy.requests.length, 0);
        if (form === 'json') assert.equal(JSON.parse(text).choices[0].message.content, expected);
        else {
          const events = eventsOf(text);
          assert.equal(streamText(events), expected);
          assert.equal(events.at(-1), '[DONE]');
          assert.ok(!text.includes('"usage"'), 'usage that the client did not ask for is not shown');
        }
        const trace = await traceOf(gate.gateway.store, response.headers.get('x-gw-trace'));
        assert.equal(trace.result.status, 'ok');
        assert.equal(trace.calls[0]!.finishReason, 'stop');
        if (behaviour !== 'noDone') assert.equal(trace.calls[0]!.tokensFrom, 'provider');
        // The end of the answer is the finish and [DONE], not the end of the connection.
        if (behaviour === 'doneButOpen') assert.ok(performance.now() - startMs < 400, 'waited for the connection');
      } finally {
        await close();
      }
    });
  }

  test('usage is shown in a stream whose client asks for it', async () => {
    const { gate, close } = await bench('ok');
    try {
      const response = await chat(
        gate.url,
        chatBody('gw/first', { stream: true, stream_options: { include_usage: true } }),
      );
      const events = eventsOf(await response.text()) as { usage?: { total_tokens: number } }[];
      assert.equal(events.at(-2)!.usage!.total_tokens, 15);
    } finally {
      await close();
    }
  });

  test('an answer nested a hundred thousand deep does not end the process, even where it must be rewritten', async () => {
    const { gate, close } = await bench('deep', SECRET);
    try {
      for (const more of [{}, { stream: true }]) {
        const response = await chat(gate.url, chatBody('gw/first', more));
        await response.text();
        assert.ok([200, 502].includes(response.status), `${response.status}`);
      }
      const health = await fetch(`${gate.url}/healthz`);
      assert.equal(health.status, 200);
    } finally {
      await close();
    }
  });
});

describe('an expert that fails again and again', () => {
  const ask = async ({ gate }: Bench): Promise<Awaited<ReturnType<typeof traceOf>>> => {
    const response = await chat(gate.url, chatBody('gw/first'));
    assert.equal(response.status, 200);
    await response.text();
    return traceOf(gate.gateway.store, response.headers.get('x-gw-trace'));
  };
  const stateOf = async ({ gate }: Bench): Promise<string> => {
    const status = (await (await fetch(`${gate.url}/v1/status`)).json()) as { experts: { state: string }[] };
    return status.experts[0]!.state;
  };

  test('is left alone after three failures, and the trace says why', async () => {
    const started = await bench('status500');
    try {
      for (let n = 0; n < 3; n++) assert.equal((await ask(started)).calls.length, 2);
      const trace = await ask(started);
      assert.deepEqual([trace.calls.length, trace.result.expert], [1, 'good']);
      assert.deepEqual(
        trace.removed.map(({ expert, constraint }) => [expert, constraint]),
        [['broken', 'breaker']],
      );
      assert.equal(started.faulty!.requests.length, 3);
      assert.equal(await stateOf(started), 'open');
      assert.equal((await fetch(`${started.gate.url}/readyz`)).status, 200);
    } finally {
      await started.close();
    }
  });

  test('is left alone at once for as long as its Retry-After says', async () => {
    const started = await bench('rateLimited');
    try {
      await ask(started);
      const trace = await ask(started);
      assert.equal(trace.calls.length, 1);
      const waitMs = Number(/another (\d+) ms after GW_UPSTREAM_RATE_LIMIT/.exec(trace.removed[0]!.detail)![1]);
      assert.ok(waitMs > 5_000 && waitMs <= 7_000, `${waitMs}`);
      assert.equal(await stateOf(started), 'open');
    } finally {
      await started.close();
    }
  });

  test('is asked all the same where nobody else can answer', async () => {
    const started = await bench('status500');
    try {
      for (let n = 0; n < 5; n++) assert.equal((await chat(started.gate.url, chatBody('gw/alone'))).status, 502);
      assert.equal(started.faulty!.requests.length, 5);
    } finally {
      await started.close();
    }
  });

  test('is never left alone for requests that are at fault themselves', async () => {
    const started = await bench('status400');
    try {
      for (let n = 0; n < 5; n++) assert.equal((await chat(started.gate.url, chatBody('gw/first'))).status, 400);
      assert.equal(started.faulty!.requests.length, 5);
      assert.equal(await stateOf(started), 'up');
    } finally {
      await started.close();
    }
  });
});

describe('the key of an expert that echoes it', () => {
  for (const key of [SECRET, ODD_SECRET]) {
    test(`reaches no client, trace, log, metric or status (${key.length} characters)`, async () => {
      const { gate, close } = await bench('unauthorized', key);
      try {
        for (const more of [{}, { stream: true }]) {
          const response = await chat(gate.url, chatBody('gw/alone', more));
          const seen = [
            await response.text(),
            JSON.stringify([...response.headers]),
            JSON.stringify(await gate.gateway.store.list({ limit: 10 })),
            JSON.stringify(gate.logs),
            await (await fetch(`${gate.url}/metrics`)).text(),
            await (await fetch(`${gate.url}/v1/status`)).text(),
          ].join('\n');
          // Not even a part of it, as where a long message is clipped.
          for (let at = 0; at + 8 <= key.length; at++) {
            const part = key.slice(at, at + 8);
            assert.ok(!seen.includes(part), `found ${JSON.stringify(part)} of the key`);
          }
        }
      } finally {
        await close();
      }
    });
  }
});

describe("OpenAI's own client", () => {
  const open: Bench[] = [];
  const clientFor = async (fault: Behaviour | 'refused'): Promise<OpenAI> => {
    const started = await bench(fault);
    open.push(started);
    return new OpenAI({ baseURL: `${started.gate.url}/v1`, apiKey: 'any', maxRetries: 0 });
  };
  after(async () => {
    for (const started of open) await started.close();
  });
  const ask = (client: OpenAI, model: string) =>
    client.chat.completions.create({ model, messages: [{ role: 'user', content: 'hi' }] });
  const askStream = async (client: OpenAI, model: string): Promise<string> => {
    let text = '';
    const stream = await client.chat.completions.create({
      model,
      messages: [{ role: 'user', content: 'hi' }],
      stream: true,
    });
    for await (const chunk of stream) text += chunk.choices[0]?.delta.content ?? '';
    return text;
  };

  test('reads whole answers and streams', async () => {
    const client = await clientFor('ok');
    assert.equal((await ask(client, 'gw/first')).choices[0]!.message.content, GOOD_TEXT);
    assert.equal(await askStream(client, 'gw/first'), GOOD_TEXT);
  });

  test('lists modes and experts as models', async () => {
    const client = await clientFor('ok');
    const ids = (await client.models.list()).data.map(({ id }) => id);
    assert.deepEqual(ids, ['gw/first', 'gw/alone', 'broken', 'good']);
  });

  const late: readonly Behaviour[] = ['cutAfterContent', 'resetAfterContent', 'errorMiddle', 'doneWithoutFinish'];
  for (const fault of late) {
    test(`throws on a stream that breaks: ${fault}`, async () => {
      const client = await clientFor(fault);
      await assert.rejects(askStream(client, 'gw/first'), (error) => error instanceof APIError && error.code !== null);
    });
  }

  type ErrorClass = abstract new (...parts: never[]) => APIError;
  const classes: readonly [Behaviour | 'refused', ErrorClass, number][] = [
    ['status400', BadRequestError, 400],
    ['rateLimited', RateLimitError, 429],
    ['status503', InternalServerError, 502],
    ['refused', InternalServerError, 502],
    ['silent', InternalServerError, 504],
  ];
  for (const [fault, errorClass, status] of classes) {
    test(`throws ${errorClass.name} for ${fault}, whole and streamed`, async () => {
      const client = await clientFor(fault);
      const check = (error: unknown): boolean => {
        assert.ok(error instanceof errorClass, `${error}`);
        assert.equal(error.status, status);
        return true;
      };
      await assert.rejects(ask(client, 'gw/alone'), check);
      await assert.rejects(askStream(client, 'gw/alone'), check);
    });
  }

  test('throws NotFoundError for a model that nobody knows, naming the nearest', async () => {
    const client = await clientFor('ok');
    await assert.rejects(ask(client, 'gw/frist'), (error) => {
      assert.ok(error instanceof NotFoundError);
      assert.equal(error.code, 'GW_UNKNOWN_MODEL');
      assert.match(error.message, /Did you mean "gw\/first"/);
      return true;
    });
  });
});

/** Spans over OTLP and metrics, as a collector and a Prometheus server would see them. */
import assert from 'node:assert/strict';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, test } from 'node:test';
import { chat, chatBody, expertAt, pool, startGateway, until } from './helpers.ts';
import { closedPort, upstream } from './upstream.ts';

// biome-ignore lint/suspicious/noExplicitAny: the seam where an export is parsed
type Json = any;

/** Takes exports as OTLP/HTTP with JSON bodies. */
async function collector(status = 200): Promise<{
  readonly url: string;
  readonly spans: Json[];
  readonly resources: Json[];
  readonly headers: IncomingHttpHeaders[];
  readonly text: () => string;
  close(): Promise<void>;
}> {
  const spans: Json[] = [];
  const resources: Json[] = [];
  const headers: IncomingHttpHeaders[] = [];
  let text = '';
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => {
      const body = Buffer.concat(parts).toString('utf8');
      text += body;
      headers.push(request.headers);
      for (const resource of JSON.parse(body).resourceSpans) {
        resources.push(resource.resource);
        for (const scope of resource.scopeSpans) spans.push(...scope.spans);
      }
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end('{}');
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1/traces`,
    spans,
    resources,
    headers,
    text: () => text,
    async close() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      server.closeAllConnections();
      await closed;
    },
  };
}

/** The attributes of a span as plain values. */
function attributesOf(span: Json): Record<string, unknown> {
  const plainOf = (value: Json): unknown => {
    if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plainOf);
    const [kind, plain] = Object.entries(value)[0] as [string, unknown];
    return kind === 'intValue' ? Number(plain) : plain;
  };
  return Object.fromEntries(span.attributes.map(({ key, value }: Json) => [key, plainOf(value)]));
}

const TRACE = '0af7651916cd43dd8448eb211c80319c';
const PARENT = 'b7ad6b7169203331';

describe('spans over OTLP', () => {
  test('one for the request and one for each call, with their times, names and ancestors', async () => {
    const expert = await upstream('ok');
    const broken = await upstream('status500');
    const takes = await collector();
    const gate = await startGateway(
      {
        ...pool(expertAt('bad', broken.url), expertAt('good', expert.url)),
        telemetry: { otlp: { url: takes.url, headersEnv: 'OTLP_HEADERS' }, serviceName: 'my-gateway' },
      },
      { env: { OTLP_HEADERS: 'x-token=se%20cret,x-other=1' } },
    );
    const beforeMs = Date.now();
    const answer = await chat(
      gate.url,
      chatBody('gw/first', { temperature: 0.5, max_tokens: 9 }, 'Never export this.'),
      {
        headers: { traceparent: `00-${TRACE}-${PARENT}-01` },
      },
    );
    await answer.text();
    const afterMs = Date.now();
    await gate.close();
    await Promise.all([expert.close(), broken.close(), takes.close()]);

    assert.equal(takes.headers[0]!['x-token'], 'se cret');
    const service = takes.resources[0].attributes.find(({ key }: Json) => key === 'service.name');
    assert.equal(service.value.stringValue, 'my-gateway');
    const [server, ...calls] = takes.spans;
    assert.equal(server.name, 'chat gw/first');
    assert.equal(server.kind, 2, 'SERVER');
    assert.equal(server.traceId, TRACE);
    assert.equal(server.parentSpanId, PARENT);
    assert.deepEqual(attributesOf(server)['gatewright.ranked'], ['bad', 'good']);
    const facts = attributesOf(server);
    assert.equal(facts['gen_ai.operation.name'], 'chat');
    assert.equal(facts['gen_ai.request.model'], 'gw/first');
    assert.equal(facts['gen_ai.request.temperature'], 0.5);
    assert.equal(facts['gen_ai.request.max_tokens'], 9);
    assert.deepEqual(facts['gen_ai.response.finish_reasons'], ['stop']);
    assert.equal(facts['gatewright.expert'], 'good');
    assert.equal(facts['gatewright.trace.id'], answer.headers.get('x-gw-trace'));
    assert.ok((facts['gen_ai.usage.output_tokens'] as number) > 0);
    assert.equal(facts['error.type'], undefined);

    const failed = calls.filter((call) => attributesOf(call)['gatewright.expert'] === 'bad');
    const served = calls.find((call) => attributesOf(call)['gatewright.expert'] === 'good');
    assert.ok(failed.length >= 1);
    assert.equal(calls.length, failed.length + 1);
    for (const call of calls) {
      assert.equal(call.kind, 3, 'CLIENT');
      assert.equal(call.traceId, TRACE);
      assert.equal(call.parentSpanId, server.spanId);
      assert.equal(attributesOf(call)['server.address'], '127.0.0.1');
      assert.equal(attributesOf(call)['gen_ai.provider.name'], 'openai');
    }
    assert.equal(served.name, 'chat good-model');
    assert.equal(attributesOf(served)['server.port'], Number(new URL(expert.url).port));
    assert.equal(attributesOf(failed[0])['error.type'], 'GW_UPSTREAM_STATUS');
    assert.equal(attributesOf(failed[0])['http.response.status_code'], 500);
    assert.equal(failed[0].status.code, 2);
    assert.equal(new Set(takes.spans.map(({ spanId }) => spanId)).size, takes.spans.length);

    const [startMs, endMs] = [Number(server.startTimeUnixNano) / 1e6, Number(server.endTimeUnixNano) / 1e6];
    assert.ok(startMs >= beforeMs - 1 && endMs <= afterMs + 1, 'the true times');
    assert.ok(Number(failed[0].endTimeUnixNano) <= Number(served.startTimeUnixNano), 'one after the other');
    assert.ok(Number(served.endTimeUnixNano) / 1e6 <= endMs + 1);

    // The experts are told their own call as the caller.
    assert.equal(expert.requests[0]!.headers['traceparent'], `00-${TRACE}-${served.spanId}-01`);
    assert.equal(broken.requests[0]!.headers['traceparent'], `00-${TRACE}-${failed[0].spanId}-01`);
    for (const secret of ['Never export', 'boom', 'se cret']) assert.ok(!takes.text().includes(secret), secret);
  });

  test('obey the caller who does not want them, and a ratio', async () => {
    const expert = await upstream('ok');
    const takes = await collector();
    const gate = await startGateway({
      ...pool(expertAt('a', expert.url)),
      telemetry: { otlp: { url: takes.url, sampleRatio: 0 } },
    });
    const headers = [
      {},
      { traceparent: `00-${TRACE}-${PARENT}-00` },
      { traceparent: `00-${TRACE}-${PARENT}-01` },
      { traceparent: 'nonsense' },
    ];
    for (const header of headers)
      await (await chat(gate.url, chatBody('gw/first'), { headers: header as Record<string, string> })).text();
    await gate.close();
    await Promise.all([expert.close(), takes.close()]);
    assert.equal(takes.spans.length, 2, 'one request, with its call');
    assert.equal(expert.requests[1]!.headers['traceparent']!.slice(-2), '00');
  });

  test('hurt nobody when no collector answers, or a slow or angry one', async () => {
    const expert = await upstream('ok');
    const angry = await collector(400);
    for (const url of [`http://127.0.0.1:${await closedPort()}/v1/traces`, angry.url]) {
      const gate = await startGateway({ ...pool(expertAt('a', expert.url)), telemetry: { otlp: { url, queue: 2 } } });
      for (let i = 0; i < 4; i++) assert.equal((await chat(gate.url, chatBody('gw/first'))).status, 200);
      const metrics = await gate.gateway.metrics.text();
      assert.match(metrics, /gatewright_exported_requests\{outcome="dropped"\} [12]/);
      await gate.close();
    }
    await Promise.all([expert.close(), angry.close()]);
  });

  test('begin with the standard environment alone', async () => {
    const expert = await upstream('ok');
    const takes = await collector();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: takes.url.replace('/v1/traces', '/'), OTEL_SERVICE_NAME: 'named' };
    const gate = await startGateway(pool(expertAt('a', expert.url)), { env });
    await (await chat(gate.url, chatBody('gw/first', { stream: true }))).text();
    await gate.close();
    const call = takes.spans.find(({ kind }) => kind === 3);
    assert.ok((attributesOf(call)['gen_ai.response.time_to_first_chunk'] as number) > 0);
    assert.equal(takes.spans.find(({ kind }) => kind === 2).parentSpanId, undefined);
    await Promise.all([expert.close(), takes.close()]);
  });
});

describe('metrics', () => {
  test('speak the names of the GenAI conventions', async () => {
    const expert = await upstream('ok');
    const gate = await startGateway(pool(expertAt('a', expert.url)));
    await (await chat(gate.url, chatBody('gw/first', { stream: true }))).text();
    const text = await gate.gateway.metrics.text();
    const labels = `gen_ai_operation_name="chat",gen_ai_provider_name="openai",gen_ai_request_model="a-model",server_address="127.0.0.1",server_port="${new URL(expert.url).port}"`;
    for (const line of [
      `gen_ai_client_token_usage_count{${labels},gen_ai_token_type="input"} 1`,
      `gen_ai_client_token_usage_count{${labels},gen_ai_token_type="output"} 1`,
      `gen_ai_client_operation_duration_seconds_count{${labels},error_type=""} 1`,
      `gen_ai_server_time_to_first_token_seconds_count{${labels}} 1`,
      `gen_ai_server_time_per_output_token_seconds_count{${labels}} 1`,
      'gatewright_overhead_seconds_count{mode="gw/first"} 1',
    ])
      assert.ok(
        text.includes(line),
        `${line}\n${text
          .split('\n')
          .filter((l) => l.includes('gen_ai'))
          .join('\n')}`,
      );
    await gate.close();
    await expert.close();
  });

  test('grow by no series, whatever clients send', async () => {
    const expert = await upstream((index) => (index % 3 === 0 ? 'status500' : 'ok'));
    const gate = await startGateway({
      ...pool(expertAt('a', expert.url)),
      cache: { exact: { onlyDeterministic: false } },
    });
    const seriesOf = async (): Promise<number> =>
      (await gate.gateway.metrics.text()).split('\n').filter((line) => line !== '' && !line.startsWith('#')).length;
    const hostile = async (name: string): Promise<void> => {
      const headers = {
        'x-gw-user': `u-${name}`,
        'x-gw-groups': `g-${name}`,
        'x-gw-task': 'default',
        'user-agent': name,
        'x-gw-cache': name,
        traceparent: name,
      };
      await (await chat(gate.url, chatBody('gw/first', { user: name, tools: [] }), { headers })).text();
      await (await chat(gate.url, chatBody(`model-${name}`), { headers })).text();
      await (await chat(gate.url, { model: name }, { headers })).text();
      await (await fetch(`${gate.url}/${name}`, { method: 'PUT' })).text();
      await (await chat(gate.url, chatBody('gw/first'), { headers: { 'x-gw-task': name } })).text();
    };
    for (let i = 0; i < 6; i++) await hostile(`first${i}`);
    const before = await seriesOf();
    for (let i = 0; i < 60; i++) await hostile(`n${i}${'x'.repeat(i)}`);
    assert.equal(await seriesOf(), before);
    const text = await gate.gateway.metrics.text();
    assert.ok(!/first\d|n\d+x/.test(text.replaceAll('gw/first', '')));
    await gate.close();
    await expert.close();
  });

  test("tell the gateway's own time apart from the expert's", async () => {
    const expert = await upstream('slow');
    const gate = await startGateway(pool(expertAt('a', expert.url)));
    const answer = await chat(gate.url, chatBody('gw/first', { stream: true }));
    await answer.text();
    const { trace } = (await until(() => gate.gateway.store.find(answer.headers.get('x-gw-trace')!), 'the trace'))!;
    const own = Number(
      /gatewright_overhead_seconds_sum\{mode="gw\/first"\} (\S+)/.exec(await gate.gateway.metrics.text())![1],
    );
    // The stream takes its time between events; none of that is ours.
    assert.ok(trace.calls[0]!.latencyMs > 50);
    assert.ok(own > 0);
    assert.ok(Number(answer.headers.get('x-gw-overhead-ms')) > 0);
    assert.match(answer.headers.get('server-timing')!, /^gateway;dur=\d+\.\d{3}$/);
    assert.ok(own * 1000 < trace.result.latencyMs);
    await gate.close();
    await expert.close();
  });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { expertAt, pool, post, startGateway, type TestGateway } from '../../test/helpers.ts';
import { anthropicUpstream, eventsOfMessage, message } from '../../test/scripted/anthropic.ts';
import { upstream } from '../../test/upstream.ts';

const ASK = { model: 'gw/alone', max_tokens: 5, messages: [{ role: 'user', content: 'Hello' }] };

interface WireFailure {
  readonly error: { readonly type: string; readonly gateway: { readonly code: string } };
  readonly request_id: string;
}

describe('an answer that cannot be written again', () => {
  /** JSON.parse takes deeper nesting than JSON.stringify. */
  const DEEP = '['.repeat(20_000) + ']'.repeat(20_000);
  const sent = message([{ type: 'text', text: 'Hi.', citations: null }], { container: 'DEEP' });

  const withGateway = async (run: (gate: TestGateway) => Promise<void>): Promise<void> => {
    const expert = await anthropicUpstream(() => ({ isStream, response }) => {
      response.writeHead(200, { 'content-type': isStream ? 'text/event-stream' : 'application/json' });
      const text = isStream ? eventsOfMessage(sent).join('') : JSON.stringify(sent);
      // At the start of a stream it would be refused before anything was shown.
      const at = text.lastIndexOf('"DEEP"');
      response.end(`${text.slice(0, at).replaceAll('"DEEP"', 'null')}${DEEP}${text.slice(at + '"DEEP"'.length)}`);
    });
    const provider = { use: 'anthropic', baseUrl: expert.url, model: 'm' };
    const gate = await startGateway(pool({ ...expertAt('claude', ''), provider }), { env: { ANTHROPIC_API_KEY: 'k' } });
    try {
      await run(gate);
    } finally {
      await gate.close();
      await expert.close();
    }
  };

  test('whole, is a typed error in the form of the dialect', () =>
    withGateway(async (gate) => {
      const response = await post(`${gate.url}/v1/messages`, ASK);
      assert.equal(response.status, 502);
      const { error, request_id: id } = (await response.json()) as WireFailure;
      assert.equal(error.type, 'api_error');
      assert.equal(error.gateway.code, 'GW_UPSTREAM_MALFORMED');
      assert.equal(id, response.headers.get('x-gw-trace'));
    }));

  test('as a stream, ends in an error event', () =>
    withGateway(async (gate) => {
      const response = await post(`${gate.url}/v1/messages`, { ...ASK, stream: true });
      assert.equal(response.status, 200);
      const events = (await response.text()).trim().split('\n\n');
      assert.match(events.at(-1)!, /^event: error\n.*GW_UPSTREAM_MALFORMED/);
      assert.ok(events.some((event) => event.includes('"text":"Hi."')));
    }));
});

test('what is not carried is named in what a header may hold, twenty paths and the number of the others', async () => {
  const expert = await upstream('ok');
  const gate = await startGateway(pool(expertAt('one', expert.url)));
  try {
    const many = Object.fromEntries(Array.from({ length: 30 }, (_, n) => [`field${n}`, 1]));
    const response = await post(`${gate.url}/v1/messages`, { ...ASK, 'a\r\nx-other: 1, ü': 1, ...many });
    assert.equal(response.status, 200);
    const names = response.headers.get('x-gw-not-carried')!.split(', ');
    assert.deepEqual(names.slice(0, 2), ['a??x-other??1???', 'field0']);
    assert.equal(names.length, 21);
    assert.equal(names.at(-1), '+11');
  } finally {
    await gate.close();
    await expert.close();
  }
});

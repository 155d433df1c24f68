import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callSpanId, traceContext, traceparentOf } from './trace-context.ts';

/** The example of W3C Trace Context, section 3.2.3. */
const EXAMPLE = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

test('a caller is believed', () => {
  const context = traceContext(EXAMPLE, 'tr_1', 0);
  assert.equal(context.traceId, '4bf92f3577b34da6a3ce929d0e0e4736');
  assert.equal(context.parentId, '00f067aa0ba902b7');
  assert.equal(context.isSampled, true);
  assert.match(context.spanId, /^[0-9a-f]{16}$/);
  assert.equal(traceContext(EXAMPLE.replace(/01$/, '00'), 'tr_1', 1).isSampled, false);
  assert.equal(traceContext(EXAMPLE.replace(/^00/, 'cc').concat('-what-the-future-brings'), 'tr_1', 0).isSampled, true);
});

test('what is no traceparent begins a trace of its own', () => {
  const table: [string, string | string[] | undefined][] = [
    ['none', undefined],
    ['empty', ''],
    ['capitals', EXAMPLE.toUpperCase()],
    ['no trace', EXAMPLE.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32))],
    ['no span', EXAMPLE.replace('00f067aa0ba902b7', '0'.repeat(16))],
    ['version ff', EXAMPLE.replace(/^00/, 'ff')],
    ['more behind version 00', `${EXAMPLE}-more`],
    ['cut', EXAMPLE.slice(0, -1)],
    ['several', [EXAMPLE, EXAMPLE]],
  ];
  for (const [name, header] of table) {
    const context = traceContext(header, 'tr_1', 1);
    assert.equal(context.parentId, undefined, name);
    assert.match(context.traceId, /^[0-9a-f]{32}$/, name);
    assert.notEqual(context.traceId, '4bf92f3577b34da6a3ce929d0e0e4736', name);
    assert.equal(context.isSampled, true, name);
  }
});

test('ids come from our own trace, the same each time and others for others', () => {
  assert.deepEqual(traceContext(undefined, 'tr_1', 1), traceContext(undefined, 'tr_1', 1));
  assert.notEqual(traceContext(undefined, 'tr_1', 1).traceId, traceContext(undefined, 'tr_2', 1).traceId);
  assert.notEqual(callSpanId('tr_1', 0), callSpanId('tr_1', 1));
  const context = traceContext(EXAMPLE, 'tr_1', 1);
  assert.deepEqual(
    traceContext(traceparentOf(context, callSpanId('tr_1', 0)), 'tr_2', 0).parentId,
    callSpanId('tr_1', 0),
  );
});

test('a ratio takes about its share', () => {
  let sampled = 0;
  for (let i = 0; i < 4_000; i++) if (traceContext(undefined, `tr_${i}`, 0.25).isSampled) sampled++;
  // The ids are hashes of fixed texts: the count is always the same; its distance from 1000 is within 3.5 deviations.
  assert.ok(Math.abs(sampled - 1_000) < 96, String(sampled));
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HELP, parseGatewayOptions } from './gateway-options.ts';

const NAMES = ['direct', 'gatewright'];
const parse = (...args: string[]) => parseGatewayOptions(args, NAMES);

test('defaults are the full run, --quick a small one, and both can be overridden', () => {
  const full = parse();
  const quick = parse('--quick');
  assert.ok(full !== 'help' && quick !== 'help');
  assert.deepEqual([full.requests, full.ratesPerSecond, full.rounds, full.soakRequests], [600, [50, 100, 200], 3, 0]);
  assert.ok(quick.requests < full.requests && quick.rounds === 3);
  const own = parse('--quick', '--requests', '7', '--rates', '10,20', '--without', 'direct', '--soak', '200000');
  assert.ok(own !== 'help');
  assert.deepEqual(
    [own.requests, own.ratesPerSecond, own.without, own.soakRequests],
    [7, [10, 20], ['direct'], 200_000],
  );
});

test('what cannot be meant is refused with the reason', () => {
  assert.throws(() => parse('--requests', '0'), /whole number of at least 1/);
  assert.throws(() => parse('--rates', '50,,100'), /--rates/);
  assert.throws(() => parse('--without', 'nginks'), /Known: direct, gatewright/);
  assert.throws(() => parse('--nonsense'), /nonsense/);
});

test('the help mentions every option', () => {
  assert.equal(parse('--help'), 'help');
  for (const option of ['quick', 'requests', 'rates', 'rounds', 'without', 'chunk-delay', 'soak', 'json', 'help']) {
    assert.ok(HELP.includes(`--${option} `), option);
  }
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '@gatewright/kernel';
import fc from 'fast-check';
import { ProviderFailure } from '../providers/failure.ts';
import { isRetryable, retryWaitMs } from './retries.ts';
import { tokenBucket } from './token-bucket.ts';

const failure = (code: string, more: object = {}): ProviderFailure =>
  new ProviderFailure(code, '', { fix: '', elsewhere: true, ...more });

test('only what was of the moment is made again', () => {
  const again: [string, object?][] = [
    ['GW_UPSTREAM_CONNECT'],
    ['GW_UPSTREAM_RESET'],
    ['GW_UPSTREAM_MALFORMED'],
    ['GW_UPSTREAM_TRUNCATED'],
    ['GW_UPSTREAM_ERROR_EVENT'],
    ['GW_UPSTREAM_RATE_LIMIT', { status: 429 }],
    ['GW_UPSTREAM_TIMEOUT'],
    ...[500, 502, 503, 504, 520, 529, 408, 409, 425].map((status): [string, object] => [
      'GW_UPSTREAM_STATUS',
      { status },
    ]),
  ];
  const never: [string, object?][] = [
    ['GW_UPSTREAM_REJECTED', { status: 400, elsewhere: false }],
    ['GW_UPSTREAM_AUTH', { status: 401 }],
    ['GW_UPSTREAM_AUTH', { status: 403 }],
    ['GW_UPSTREAM_STATUS', { status: 404 }],
    ['GW_UPSTREAM_STATUS', { status: 302 }],
    ['GW_UPSTREAM_STATUS'],
    ['GW_UPSTREAM_TIMEOUT', { isOutOfTime: true }],
    ['GW_UPSTREAM_TOO_LARGE'],
    ['GW_UPSTREAM_ERROR_EVENT', { elsewhere: false }],
    ['GW_REPLAY_MISS'],
    ['GW_BREAKER_OPEN'],
    ['GW_CANCELLED', { elsewhere: false }],
  ];
  for (const [code, more] of again) assert.equal(isRetryable(failure(code, more)), true, `${code} ${more}`);
  for (const [code, more] of never) assert.equal(isRetryable(failure(code, more)), false, `${code} ${more}`);
});

test('a wait lies between nothing and a bound that doubles, never before Retry-After, and one seed draws one wait', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 5_000 }),
      fc.integer({ min: 1, max: 20_000 }),
      fc.integer({ min: 1, max: 30 }),
      fc.option(fc.nat(30_000), { nil: undefined }),
      fc.nat(),
      (baseMs, maxMs, retry, retryAfterMs, seed) => {
        const options = { attempts: 9, baseMs, maxMs };
        const waitMs = retryWaitMs(options, retry, retryAfterMs, seededRandom(seed));
        assert.equal(waitMs, retryWaitMs(options, retry, retryAfterMs, seededRandom(seed)));
        if (retryAfterMs !== undefined && retryAfterMs > maxMs) assert.equal(waitMs, undefined);
        else {
          assert.ok(waitMs! >= (retryAfterMs ?? 0));
          assert.ok(waitMs! <= Math.max(retryAfterMs ?? 0, Math.min(maxMs, baseMs * 2 ** (retry - 1))));
        }
      },
    ),
    { numRuns: 300, seed: 20261122 },
  );
});

test('a bucket gives what it was filled with, then one extra for as many calls as its share says', () => {
  const bucket = tokenBucket(0.1, 3);
  const taken = (): number => {
    let count = 0;
    while (bucket.take()) count++;
    return count;
  };
  assert.equal(taken(), 3);
  for (let n = 0; n < 9; n++) bucket.earn();
  assert.equal(taken(), 0);
  bucket.earn();
  assert.equal(taken(), 1);
  for (let n = 0; n < 1_000; n++) bucket.earn();
  assert.equal(taken(), 3, 'it holds no more');
  assert.equal(tokenBucket(0, 0).take(), false);
});

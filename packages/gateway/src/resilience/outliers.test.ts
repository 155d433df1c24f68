import assert from 'node:assert/strict';
import { test } from 'node:test';
import { liveExperts } from '../../test/live-experts.ts';
import { ejectOutliers } from '../experts.ts';
import { outliers } from './outliers.ts';
import { recentTimes } from './recent-times.ts';

const pool = (...medians: (number | undefined | 'out')[]) =>
  medians.map((median) => ({ medianMs: median === 'out' ? undefined : median, isOut: median === 'out' }));

test('whoever is far slower than the median of the pool is an outlier, within the share that may be left alone', () => {
  const options = { factor: 3, largestShare: 0.5 };
  const cases: [ReturnType<typeof pool>, number[]][] = [
    [pool(100, 120, 900, 110), [2]],
    [pool(100, 120, 300, 110), []],
    [pool(100, 110, 100, 900, 2_000), [4, 3]],
    [pool(100, 900), []], // two have no usual one
    [pool(100, 900, undefined), []],
    [pool(100, 100, 100, 900, 'out', 'out'), [3]],
    [pool(100, 100, 900, 'out'), [2]],
    [pool(100, 100, 100, 'out', 900, 'out'), [4]],
    [pool(100, 100, 100, 'out', 900, 'out', 'out'), []],
    [pool(), []],
  ];
  for (const [given, expected] of cases) assert.deepEqual(outliers(given, options), expected, JSON.stringify(given));
  assert.deepEqual(outliers(pool(100, 100, 100, 900), { factor: 3, largestShare: 0 }), []);
});

test('an expert that became slow is left alone, and what made it slow is forgotten', () => {
  const experts = liveExperts([{}, {}, {}, {}]);
  const settings = { outlierFactor: 4, outlierShare: 0.3 };
  for (const [index, { contentTimes }] of experts.entries())
    for (let n = 0; n < 20; n++) contentTimes.add(index === 2 ? 5_000 : 200 + n);
  ejectOutliers(experts, { ...settings, outlierFactor: undefined }, 5_000);
  assert.equal(experts[2]!.breaker.admits(5_000), true, 'off unless asked for');
  ejectOutliers(experts, settings, 5_000);
  assert.deepEqual(
    experts.map(({ breaker }) => breaker.status(5_000).reason),
    [undefined, undefined, 'latency', undefined],
  );
  assert.equal(experts[2]!.contentTimes.count, 0);
  ejectOutliers(experts, settings, 7_000);
  assert.equal(experts[2]!.breaker.admits(7_000), true);
});

test('quantiles are those of the newest times', () => {
  const times = recentTimes(4);
  assert.equal(times.quantile(0.5), undefined);
  for (const ms of [900, 900, 40, 10, 30, 20]) times.add(ms);
  assert.deepEqual([times.count, times.quantile(0), times.quantile(0.5), times.quantile(0.95)], [4, 10, 20, 40]);
  times.clear();
  assert.equal(times.count, 0);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seededRandom } from '../random.ts';
import { cheapestAbove } from './cheapest-above.ts';
import type { Candidate, Selection } from './policy.ts';
import { sampleCandidate } from './samples.ts';

type Options = Parameters<typeof cheapestAbove>[0];

const small = sampleCandidate({ expert: 'small', quality: 0.5, costUsd: 0.001 });
const medium = sampleCandidate({ expert: 'medium', quality: 0.75, costUsd: 0.01 });
const large = sampleCandidate({ expert: 'large', quality: 0.9, costUsd: 0.1 });
const pricey = sampleCandidate({ expert: 'pricey', quality: 0.9, costUsd: 0.005, price: 0.25 });

function select(options: Options, candidates: readonly Candidate[]): Selection {
  return cheapestAbove(options).select(candidates, { random: seededRandom(1) });
}

function order(options: Options, candidates: readonly Candidate[]): string {
  return select(options, candidates)
    .ranked.map((index) => candidates[index]!.expert)
    .join(' ');
}

test('puts the cheapest that is good enough first and the others behind it', () => {
  const cases: [Options, readonly Candidate[], string][] = [
    [{ minQuality: 0 }, [large, medium, small], 'small large medium'],
    [{ minQuality: 0.6 }, [large, medium, small], 'medium large small'],
    [{ minQuality: 0.6, behind: 'best' }, [large, medium, small], 'medium large small'],
    [{ minQuality: 0.6, behind: 'cheapest' }, [large, medium, small], 'medium small large'],
    [{ minQuality: 0.75 }, [large, medium, small], 'medium large small'], // the bar itself is enough
    [{ minQuality: 0.8 }, [large, medium, small], 'large medium small'],
    [{ minQuality: 0.8, behind: 'cheapest' }, [large, medium, small], 'large small medium'],
    [{ minQuality: 0.95 }, [small, large, medium], 'large medium small'], // none: best first
    [{ minQuality: 0.95, behind: 'cheapest' }, [small, large, medium], 'large medium small'],
    [{ minQuality: 0.7 }, [large, pricey], 'large pricey'], // 0.9 - 0.25 is below the bar
    [{ minQuality: 0.6 }, [large, pricey], 'pricey large'],
    [{ minQuality: 0.95 }, [pricey, medium, small], 'medium pricey small'], // by quality minus price
    [{ minQuality: 0.5 }, [medium, { ...medium, expert: 'twin' }], 'medium twin'],
  ];
  for (const [options, candidates, expected] of cases) {
    assert.equal(order(options, candidates), expected, JSON.stringify(options));
  }
});

test('says whether the bar was met', () => {
  assert.equal(select({ minQuality: 0.6 }, [medium]).reason, 'cheapest of quality 0.6 or more');
  assert.equal(select({ minQuality: 0.8 }, [medium]).reason, 'none reaches quality 0.8; best first');
});

test('shows quality and price as the terms, in either case', () => {
  for (const minQuality of [0.6, 1]) {
    const { terms, propensity } = select({ minQuality }, [pricey, small]);
    assert.deepEqual(terms, [
      { quality: 0.9, price: -0.25 },
      { quality: 0.5, price: 0 },
    ]);
    assert.equal(propensity, 1);
  }
});

test('refuses a bar outside 0..1 and an unknown rest', () => {
  const cases: [object, string][] = [
    [{}, 'minQuality'],
    [{ minQuality: 70 }, 'minQuality'],
    [{ minQuality: 1.01 }, 'minQuality'],
    [{ minQuality: -0.1 }, 'minQuality'],
    [{ minQuality: Number.NaN }, 'minQuality'],
    [{ minQuality: '0.5' }, 'minQuality'],
    [{ minQuality: 0.5, behind: 'dearest' }, 'behind'],
    [{ minQuality: 0.5, behind: null }, 'behind'],
  ];
  for (const [options, path] of cases) {
    assert.throws(() => cheapestAbove(options as Options), { code: 'GW_OPTION', path }, JSON.stringify(options));
  }
});

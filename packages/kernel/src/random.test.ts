import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hashText, type Random, seededRandom } from './random.ts';

function words(seed: number, count: number): number[] {
  const random = seededRandom(seed);
  return Array.from({ length: count }, () => random.seed());
}

/** Sum over cells of (seen - expected)^2 / expected. */
function chiSquare(cells: number, draws: number, draw: () => number): number {
  const seen = new Array<number>(cells).fill(0);
  for (let i = 0; i < draws; i++) {
    const cell = draw();
    assert.ok(Number.isInteger(cell) && cell >= 0 && cell < cells, `${cell}`);
    seen[cell]!++;
  }
  return seen.reduce((sum, count) => sum + (count - draws / cells) ** 2 / (draws / cells), 0);
}

test('gives the same stream on every machine, for ever: traces replay by it', () => {
  // Computed apart from this code, in another language with arbitrary precision.
  const cases: [number, number[]][] = [
    [0, [0x64625032, 0xd9c0799c, 0xaf362e10, 0x7fa88912]],
    [1, [0x5e2d1772, 0x14e498f0, 0xd20ea1fd, 0xb382f339]],
    [42, [0x20e44818, 0x0895a923, 0x1339a01f, 0xb4e3841a]],
    [0xffffffff, [0xeb721c8a, 0xffe8bd34, 0x4da2a8ce, 0xa4a5cc85]],
  ];
  for (const [seed, expected] of cases) assert.deepEqual(words(seed, 4), expected, `seed ${seed}`);
});

test('makes next and below of the same words', () => {
  assert.equal(seededRandom(0).next(), 0x64625032 / 2 ** 32);
  assert.equal(seededRandom(0).below(10), 3); // 0x64625032 / 2^32 = 0.392
  assert.equal(seededRandom(0).below(1), 0);
  const random = seededRandom(42);
  assert.deepEqual(
    [random.seed(), random.next(), random.below(2 ** 32), random.below(2)],
    [0x20e44818, 0x0895a923 / 2 ** 32, 0x1339a01f, 1],
  );
});

test('counts the lowest 32 bits of a seed only', () => {
  assert.deepEqual(words(2 ** 32 + 7, 3), words(7, 3));
  assert.deepEqual(words(-1, 3), words(0xffffffff, 3));
  assert.notDeepEqual(words(8, 3), words(7, 3));
});

test('keeps two streams apart', () => {
  const [a, b] = [seededRandom(1), seededRandom(1)];
  a.next();
  a.next();
  assert.equal(b.seed(), words(1, 1)[0]);
});

test('is uniform, along a stream and across neighbouring seeds', () => {
  // 99 degrees of freedom: below 149 in 99.9 % of cases; 15: below 37.7.
  const along: [string, (random: Random) => number][] = [
    ['next', (random) => Math.floor(random.next() * 100)],
    ['below', (random) => random.below(100)],
    ['lowest digits', (random) => random.seed() % 100],
  ];
  for (const [name, draw] of along) {
    const random = seededRandom(11);
    const value = chiSquare(100, 100_000, () => draw(random));
    assert.ok(value < 149, `${name}: ${value}`);
  }
  let seed = 0;
  const across = chiSquare(100, 100_000, () => seededRandom(seed++).below(100));
  assert.ok(across < 149, `first draws of seeds 0, 1, 2, ...: ${across}`);
  const random = seededRandom(12);
  const pairs = chiSquare(16, 32_000, () => random.below(4) * 4 + random.below(4));
  assert.ok(pairs < 37.7, `pairs: ${pairs}`);
});

test('hashes texts the same on every machine, for ever: seeds come from it', () => {
  // Computed apart from this code, in another language with arbitrary precision.
  const cases: [string, number, number][] = [
    ['', 0, 0xab3e7c0b],
    ['a', 0, 0x1a80b1b3],
    ['foobar', 0, 0x0c0da6dc],
    ['foobar', 1, 0xa01b37a7],
    ['é', 0, 0xbaf79669],
    ['日本', 0, 0x0e19ba4d],
    ['😀', 0, 0x6a85a426],
  ];
  for (const [text, seed, expected] of cases) assert.equal(hashText(text, seed), expected, JSON.stringify(text));
  assert.equal(hashText('a'), hashText('a', 0));
});

test('hashes counted-up ids evenly and without clashes', () => {
  const hashes = Array.from({ length: 20_000 }, (_, i) => hashText(`request-${i}`));
  // About 20000^2 / 2^33 = 0.05 clashes are expected.
  assert.ok(new Set(hashes).size >= hashes.length - 1);
  let i = 0;
  const value = chiSquare(16, hashes.length, () => hashes[i++]! % 16);
  assert.ok(value < 37.7, `chi-square ${value}`);
});

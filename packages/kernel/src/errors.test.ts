import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  GatewrightError,
  isGatewrightError,
  nearestName,
  OptionError,
  ShapeError,
  UnknownNameError,
} from './errors.ts';

test('carries code, message, next action, place, facts and cause', () => {
  const cause = new Error('below');
  const error = new GatewrightError('GW_SAMPLE', 'It is 3.', {
    fix: 'Make it 2.',
    path: 'a.b',
    facts: { n: 3 },
    cause,
  });
  assert.ok(error instanceof Error);
  const { code, message, fix, path, facts, name } = error;
  assert.deepEqual(
    { code, message, fix, path, facts, name, cause: error.cause },
    {
      code: 'GW_SAMPLE',
      message: 'It is 3.',
      fix: 'Make it 2.',
      path: 'a.b',
      facts: { n: 3 },
      name: 'GatewrightError',
      cause,
    },
  );
  const bare = new GatewrightError('GW_SAMPLE', 'It is 3.', { fix: 'Make it 2.' });
  assert.deepEqual([bare.path, bare.facts, 'cause' in bare], [undefined, {}, false]);
});

test('shows the value that was wrong, short and never whole', () => {
  const cases: [unknown, string][] = [
    [3, '3'],
    [Number.NaN, 'NaN'],
    [true, 'true'],
    [undefined, 'undefined'],
    [null, 'null'],
    ['a"b\n', '"a\\"b\\n"'],
    [[1, 2, 3], 'a list of 3'],
    [{ secret: 1 }, 'a value of type object'],
    [() => 1, 'a value of type function'],
    ['x'.repeat(120), `"${'x'.repeat(120)}"`],
    ['x'.repeat(121), `"${'x'.repeat(117)}..."`],
  ];
  for (const [actual, shown] of cases) {
    assert.equal(new OptionError('n', 'small', actual, 'Lower it.').message, `n must be small, got ${shown}.`);
    assert.equal(new ShapeError('n', 'small', actual, 'Lower it.').message, `n must be small, got ${shown}.`);
  }
});

test('has a code of its own for options and for shapes, and names the place', () => {
  for (const [error, code, name] of [
    [new OptionError('size', 'small', 9, 'Lower it.'), 'GW_OPTION', 'OptionError'],
    [new ShapeError('size', 'small', 9, 'Lower it.'), 'GW_SHAPE', 'ShapeError'],
  ] as const) {
    assert.ok(error instanceof GatewrightError);
    assert.deepEqual([error.code, error.name, error.path, error.fix], [code, name, 'size', 'Lower it.']);
  }
});

test('lists the known names in order and suggests the nearest', () => {
  const error = new UnknownNameError('policy', 'randum', ['weighted', 'random'], { path: 'p.use' });
  assert.equal(error.code, 'GW_UNKNOWN_NAME');
  assert.equal(error.message, 'There is no policy named "randum".');
  assert.equal(error.fix, 'Did you mean "random"? Known: random, weighted.');
  assert.equal(error.path, 'p.use');
  assert.deepEqual(error.facts, { name: 'randum', known: ['random', 'weighted'], nearest: 'random' });

  const far = new UnknownNameError('expert', 'zzz', [], { code: 'GW_UNKNOWN_EXPERT' });
  assert.deepEqual([far.code, far.fix, far.path], ['GW_UNKNOWN_EXPERT', 'Known: (none).', undefined]);
  assert.deepEqual(far.facts, { name: 'zzz', known: [] });
});

test('does not change the list of names it is given, nor grow with a hostile name', () => {
  const known = ['b', 'a'];
  const error = new UnknownNameError('policy', 'q'.repeat(1e6), known);
  assert.deepEqual(known, ['b', 'a']);
  assert.ok(error.message.length < 200);
  assert.ok(JSON.stringify(error.facts).length < 300);
});

test('finds the nearest name where at most a third of the letters differ', () => {
  const known = ['cheapestAbove', 'leastLoaded', 'random', 'static', 'best'];
  const cases: [string, string | undefined][] = [
    ['random', 'random'],
    ['RANDOM', 'random'],
    ['ranndom', 'random'], // one put in
    ['radom', 'random'], // one left out
    ['rxndom', 'random'], // one changed
    ['rnadom', 'random'], // two swapped: distance 2 of 6
    ['rxxxom', undefined], // 3 of 6
    ['leastloaded', 'leastLoaded'],
    ['cheapest', undefined], // 5 of 8
    ['cheapestAbov', 'cheapestAbove'],
    ['bst', 'best'],
    ['bbest', 'best'], // 1 of 5, the most allowed
    ['bestt', 'best'],
    ['bbestt', 'best'], // 2 of 6
    ['bbstt', undefined], // 2 of 5
    ['bt', undefined], // 2 of 2
    ['', undefined],
    ['quantum', undefined],
  ];
  for (const [name, expected] of cases) assert.equal(nearestName(name, known), expected, name);
  assert.equal(nearestName('aab', ['aac', 'aad']), 'aac', 'the first of equals');
  assert.equal(nearestName('aabb', ['aaxb', 'aabb']), 'aabb', 'the nearest, not the first');
  assert.equal(nearestName('x', []), undefined);
});

test('knows its own errors by their form, so that two copies of the package agree', () => {
  const foreign = Object.assign(new Error('x'), { code: 'GW_OPTION', fix: 'Do.' });
  const cases: [unknown, boolean][] = [
    [new OptionError('a', 'b', 1, 'c'), true],
    [foreign, true],
    [new Error('x'), false],
    [Object.assign(new Error('x'), { code: 'ENOENT' }), false],
    [Object.assign(new Error('x'), { code: 1, fix: 'Do.' }), false],
    [{ code: 'GW_OPTION', fix: 'Do.' }, false],
    [undefined, false],
    ['GW_OPTION', false],
  ];
  for (const [error, expected] of cases) assert.equal(isGatewrightError(error), expected);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { numberOption, onlyOptions } from './options.ts';

type Bounds = Parameters<typeof numberOption>[2];

test('gives back a number within its bounds, the bounds themselves included', () => {
  const cases: [Bounds, number[]][] = [
    [{}, [0, -1e300, 0.5]],
    [{ min: 0, max: 1 }, [0, 0.5, 1]],
    [{ min: 1, whole: true }, [1, 2, 1e15]],
  ];
  for (const [bounds, values] of cases) {
    for (const value of values) assert.equal(numberOption('n', value, bounds, 'Fix it.'), value);
  }
});

test('refuses anything else and says what it wants', () => {
  const cases: [Bounds, unknown, string][] = [
    [{}, '1', 'n must be a finite number, got "1".'],
    [{}, Number.NaN, 'n must be a finite number, got NaN.'],
    [{}, Infinity, 'n must be a finite number, got Infinity.'],
    [{}, -Infinity, 'n must be a finite number, got -Infinity.'],
    [{}, undefined, 'n must be a finite number, got undefined.'],
    [{}, null, 'n must be a finite number, got null.'],
    [{ min: 0 }, -1e-9, 'n must be a finite number of at least 0, got -1e-9.'],
    [{ min: 0, max: 1 }, 1.1, 'n must be a finite number between 0 and 1, got 1.1.'],
    [{ min: 1, whole: true }, 1.5, 'n must be a whole number of at least 1, got 1.5.'],
    [{ min: 1, max: 9, whole: true }, 10, 'n must be a whole number between 1 and 9, got 10.'],
  ];
  for (const [bounds, value, message] of cases) {
    assert.throws(() => numberOption('n', value, bounds, 'Fix it.'), {
      code: 'GW_OPTION',
      path: 'n',
      fix: 'Fix it.',
      message,
    });
  }
});

test('refuses the first option that is not known', () => {
  onlyOptions({}, []);
  onlyOptions({ a: 1 }, ['a', 'b']);
  onlyOptions({ a: undefined }, ['a']);
  const cases: [object, string[], string, RegExp][] = [
    [{ a: 1, c: 2, d: 3 }, ['a', 'b'], 'c', /known options \(a, b\)\.$/],
    [{ toString: 1 }, ['a'], 'toString', /known options \(a\)/],
    [{ x: 1 }, [], 'x', /left out \(this takes no options\)/],
  ];
  for (const [options, known, path, message] of cases) {
    assert.throws(() => onlyOptions(options, known), { code: 'GW_OPTION', path, message });
  }
});

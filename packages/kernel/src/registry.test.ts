import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GatewrightError, OptionError } from './errors.ts';
import { create, type Factories } from './registry.ts';

const factories: Factories<unknown> = {
  echo: (options) => options,
  picky: (options) => {
    throw new OptionError('size', 'small', options.size, 'Lower it.');
  },
  whole: () => {
    throw new GatewrightError('GW_SAMPLE', 'Not today.', { fix: 'Wait.', facts: { day: 1 } });
  },
  broken: () => {
    throw new TypeError('a bug');
  },
};

test('hands the factory every option but the name', () => {
  const spec = Object.freeze({ use: 'echo', a: 1, b: { c: 2 } });
  assert.deepEqual(create('sample', factories, spec), { a: 1, b: { c: 2 } });
  assert.deepEqual(create('sample', factories, { use: 'echo' }), {});
});

test('refuses a name that nobody exports, also one that every object has', () => {
  for (const use of ['ecko', '', 'toString', 'constructor', '__proto__']) {
    assert.throws(() => create('sample', factories, { use }, 'modes.x'), {
      code: 'GW_UNKNOWN_NAME',
      path: 'modes.x.use',
      message: `There is no sample named ${JSON.stringify(use)}.`,
    });
  }
  assert.throws(() => create('sample', factories, { use: 'ecko' }), {
    path: 'sample.use',
    fix: 'Did you mean "echo"? Known: broken, echo, picky, whole.',
  });
});

test('puts the place of the spec in front of the place of the error', () => {
  assert.throws(
    () => create('sample', factories, { use: 'picky', size: 9 }, 'modes.x'),
    (error: unknown) => {
      assert.ok(error instanceof GatewrightError && error.cause instanceof OptionError);
      const { code, path, fix, message } = error;
      assert.deepEqual(
        { code, path, fix, message },
        { code: 'GW_OPTION', path: 'modes.x.size', fix: 'Lower it.', message: 'size must be small, got 9.' },
      );
      return true;
    },
  );
  assert.throws(() => create('sample', factories, { use: 'whole' }, 'modes.x'), {
    code: 'GW_SAMPLE',
    path: 'modes.x',
    facts: { day: 1 },
  });
});

test('lets errors that are not ours through as they are', () => {
  assert.throws(() => create('sample', factories, { use: 'broken' }), TypeError);
});

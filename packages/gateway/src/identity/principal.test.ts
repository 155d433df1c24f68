import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  ANYONE,
  isAllowed,
  ofPrincipal,
  type Principal,
  requireModel,
  requireScope,
  requireUser,
} from './principal.ts';

const may = (models: readonly string[] | undefined): Principal => ({ ...ANYONE, name: 'app', models });

const MODELS: readonly (readonly [patterns: readonly string[] | undefined, model: string, expected: boolean])[] = [
  [undefined, 'anything', true],
  [[], 'gw/auto', false],
  [['gw/auto'], 'gw/auto', true],
  [['gw/auto'], 'gw/auto2', false],
  [['gw/auto'], 'GW/auto', false],
  [['gw/*'], 'gw/auto', true],
  [['gw/*'], 'gw/', true],
  [['gw/*'], 'small', false],
  [['*'], '', true],
  [['*-mini'], 'a-mini', true],
  [['*-mini'], 'a-mini-2', false],
  [['a*c*e'], 'abcde', true],
  [['a*c*e'], 'abcdef', false],
  [['a*c*e'], 'ace', true],
  [['small', 'gw/c*'], 'gw/cascade', true],
  [['.*'], 'x', false],
];
for (const [patterns, model, expected] of MODELS) {
  test(`${JSON.stringify(patterns) ?? 'all'} ${expected ? 'allows' : 'does not allow'} ${JSON.stringify(model)}`, () => {
    assert.equal(isAllowed(may(patterns), model), expected);
  });
}

test('a pattern fits what the same regular expression fits', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 8 });
  const words = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 10 });
  fc.assert(
    fc.property(letters, words, (pattern, word) => {
      const expected = new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(word);
      assert.equal(isAllowed(may([pattern]), word), expected);
    }),
  );
});

test('a hostile pattern is no trap', () => {
  assert.equal(isAllowed(may([`${'*a'.repeat(50)}b`]), 'a'.repeat(2_000)), false);
});

test('a model that is not allowed is refused without a word on whether it exists', () => {
  assert.throws(() => requireModel(may(['gw/auto']), 'secret-project'), {
    code: 'GW_MODEL_FORBIDDEN',
    message: 'The key "app" may not ask for "secret-project".',
  });
});

test('a scope is needed for what has one, and all of them for what has none', () => {
  requireScope(ANYONE, 'chat');
  requireScope(ANYONE, undefined);
  requireScope({ ...ANYONE, scopes: ['chat'] }, 'chat');
  assert.throws(() => requireScope({ ...ANYONE, scopes: ['chat'] }, 'traces'), { code: 'GW_FORBIDDEN' });
  assert.throws(() => requireScope({ ...ANYONE, scopes: ['chat'] }, undefined), { code: 'GW_FORBIDDEN' });
  assert.throws(() => requireScope({ ...ANYONE, roles: ['admin'] }, 'chat'), { code: 'GW_FORBIDDEN' });
  requireScope({ ...ANYONE, roles: ['verifier'] }, 'feedback');
  assert.throws(() => requireScope({ ...ANYONE, roles: ['verifier'] }, 'chat'), { code: 'GW_FORBIDDEN' });
});

test('a key with a user speaks for that user, one without for whomever it names', () => {
  const ada = { ...ANYONE, user: 'ada' };
  assert.equal(requireUser(ada, undefined), 'ada');
  assert.equal(requireUser(ada, 'ada'), 'ada');
  assert.throws(() => requireUser(ada, 'bob'), { code: 'GW_FORBIDDEN' });
  assert.equal(requireUser(ANYONE, 'bob'), 'bob');
  assert.equal(requireUser(ANYONE, undefined), undefined);
  assert.deepEqual(ofPrincipal(ada, { user: 'bob', task: 'x' } as { user?: string }), { user: 'ada', task: 'x' });
  assert.deepEqual(ofPrincipal(ANYONE, { user: 'bob' }), { user: 'bob' });
});

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GatewrightError } from '@gatewright/kernel';
import { aliasesOf } from './aliases.ts';
import { parseConfig } from './config.ts';

describe('a name', () => {
  const aliasOf = aliasesOf({
    '*-mini': 'gw/cheap',
    'claude-*-haiku': 'small',
    'claude-*': 'gw/auto',
    'claude-exact': 'large',
    'a*b*b': 'x',
    '**': 'gw/rest',
  });
  const CASES: readonly [string, string | undefined][] = [
    ['claude-exact', 'large'],
    ['claude-5-haiku', 'small'],
    ['claude--haiku', 'small'],
    ['claude-haiku', 'gw/auto'],
    ['claude-', 'gw/auto'],
    ['claude-5-mini', 'gw/cheap'],
    ['abb', 'x'],
    ['a-b-b', 'x'],
    ['ab', 'gw/rest'],
    ['', 'gw/rest'],
  ];
  for (const [name, target] of CASES) {
    test(`${JSON.stringify(name)} stands for ${target}`, () => assert.equal(aliasOf(name), target));
  }

  test('of no alias stands for nothing, not even one that every object has', () => {
    for (const name of ['gpt', 'constructor', '__proto__'])
      assert.equal(aliasesOf({ 'claude-*': 'x' })(name), undefined);
  });
});

describe('in the configuration', () => {
  const yaml = (target: string): string =>
    `version: 1\nexperts:\n  - id: small\n    provider: { use: sandbox, expert: tiny }\naliases:\n  claude-*: ${target}\n`;

  test('an alias may name a mode or an expert', () => {
    for (const target of ['small', 'gw/auto'])
      assert.deepEqual(parseConfig(yaml(target)).aliases, { 'claude-*': target });
  });

  test('an alias of nobody is refused with its line and the nearest name', () => {
    assert.throws(
      () => parseConfig(yaml('gw/atuo')),
      (error) => {
        assert.ok(error instanceof GatewrightError);
        assert.match(
          error.message,
          /line 6, aliases\.claude-\*: There is no mode or expert "gw\/atuo"\. Did you mean "gw\/auto"/,
        );
        return true;
      },
    );
  });
});

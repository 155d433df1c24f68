import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig } from './config/config.ts';
import { knownSecrets } from './known-secrets.ts';
import { lineLog } from './log-lines.ts';

const env = {
  UP_KEY: 'up-0123456789',
  GATEWRIGHT_API_KEY: 'first-012345, second-012345',
  GATEWRIGHT_VERIFIER_KEY: 'verify-012345',
  GATEWRIGHT_ADMIN_TOKEN: 'admin-0123456789abcdefgh',
  OTLP: 'authorization=Basic collector-012345,x=plain-0123456,y=se%20cret-0123',
  HOME: '/somewhere',
};
const config = checkConfig({
  version: 1,
  experts: [
    {
      id: 'a',
      provider: { use: 'openai', baseUrl: 'http://127.0.0.1:9/v1', model: 'm', apiKeyEnv: 'UP_KEY' },
      price: { inputUsdPerMTok: 1, outputUsdPerMTok: 1 },
    },
  ],
  admin: {},
  telemetry: { otlp: { url: 'http://127.0.0.1:9/v1/traces', headersEnv: 'OTLP' } },
});

test('the secrets that a configuration names are found, and no other value of the environment', () => {
  const found = knownSecrets(config, env);
  for (const secret of [
    'up-0123456789',
    'second-012345',
    'verify-012345',
    env.GATEWRIGHT_ADMIN_TOKEN,
    'plain-0123456',
    'se cret-0123',
  ])
    assert.ok(found.includes(secret), secret);
  assert.ok(!found.includes('/somewhere'));
});

test('a log that knows them, and those of another configuration later, writes none', () => {
  let secrets: readonly string[] = ['one-0123456'];
  const lines: string[] = [];
  const { log } = lineLog((line) => lines.push(line), { secrets: () => secrets });
  log('info', 'x one-0123456', { error: `two-0123456 ${btoa('at one-0123456 ')}` });
  secrets = ['two-0123456'];
  log('info', 'x two-0123456');
  assert.doesNotMatch(lines.join(), /one-0123456|x two-0123456/);
  assert.ok(!lines.join().includes(btoa('at one-0123456 ').slice(4, -4)));
});

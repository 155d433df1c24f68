import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkConfig } from './config/config.ts';
import { createRuntime } from './pipeline.ts';

const price = { inputUsdPerMTok: 1, outputUsdPerMTok: 1 };
const chatting = { id: 'a', provider: { use: 'sandbox', expert: 'tiny' }, price };

test('an expert of kind embedding whose provider makes no vectors is refused when the configuration is, and by name', () => {
  const config = (provider: object) =>
    checkConfig({ version: 1, experts: [chatting, { id: 'vectors', kind: 'embedding', provider, price }] });
  assert.throws(
    () => createRuntime(config({ use: 'anthropic', model: 'm', apiKeyEnv: 'KEY' }), { KEY: 'x' }, 0),
    (error: Error & { code?: string; path?: string }) => {
      assert.deepEqual([error.code, error.path], ['GW_CONFIG', 'experts[1].kind']);
      assert.match(error.message, /"vectors".*anthropic makes no vectors/);
      return true;
    },
  );
  assert.equal(createRuntime(config({ use: 'sandbox', expert: 'tiny' }), {}, 0).experts.length, 2);
});

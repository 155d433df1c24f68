/** Wrong configuration files: every message names the path, the line and what to do; no message repeats a secret. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { GatewrightError } from '@gatewright/kernel';
import { type Config, type ConfigIssue, parseConfig } from '../src/config/config.ts';

const SECRET = 'sk-test-SECRET-9f8e7d6c5b4a3210';

/** A file that is in order, line 1 to 5. */
const EXPERT = `version: 1
experts:
  - id: small
    provider: { use: openai, baseUrl: "http://127.0.0.1:8000/v1", model: m }
    price: { inputUsdPerMTok: 1, outputUsdPerMTok: 2 }
`;

interface Row {
  readonly name: string;
  readonly yaml: string;
  readonly path: string;
  readonly line: number | undefined;
  readonly message: RegExp;
  readonly fix: RegExp;
}

const ROWS: readonly Row[] = [
  {
    name: 'a misspelt key',
    yaml: `${EXPERT}serve:\n  port: 80\n`,
    path: 'serve',
    line: 6,
    message: /There is no setting "serve"/,
    fix: /Did you mean "server"\? Known: .*storage/,
  },
  {
    name: 'a misspelt key of an expert',
    yaml: `${EXPERT}    contextToken: 5\n`,
    path: 'experts[0].contextToken',
    line: 6,
    message: /"contextToken"/,
    fix: /Did you mean "contextTokens"\?/,
  },
  {
    name: 'no version',
    yaml: EXPERT.replace('version: 1\n', ''),
    path: 'version',
    line: undefined,
    message: /"version" is missing/,
    fix: /Version of this format/,
  },
  {
    name: 'another version',
    yaml: EXPERT.replace('version: 1', 'version: 2'),
    path: 'version',
    line: 1,
    message: /version/,
    fix: /Version of this format/,
  },
  {
    name: 'no experts',
    yaml: 'version: 1\n',
    path: 'experts',
    line: undefined,
    message: /"experts" is missing/,
    fix: /pool/,
  },
  {
    name: 'an empty list of experts',
    yaml: 'version: 1\nexperts: []\n',
    path: 'experts',
    line: 2,
    message: /experts/,
    fix: /pool/,
  },
  {
    name: 'an unknown policy',
    yaml: `${EXPERT}modes:\n  auto:\n    policy: { use: bestof }\n    composition: { use: fallback }\n`,
    path: 'modes.auto.policy.use',
    line: 8,
    message: /no policy named "bestof"/,
    fix: /Did you mean "bestOf"\?.*cheapestAbove/,
  },
  {
    name: 'an unknown composition',
    yaml: `${EXPERT}modes:\n  auto:\n    policy: { use: static }\n    composition: { use: fallbak }\n`,
    path: 'modes.auto.composition.use',
    line: 9,
    message: /no composition named "fallbak"/,
    fix: /Did you mean "fallback"\?/,
  },
  {
    name: 'an unknown provider',
    yaml: EXPERT.replace('use: openai', 'use: opanai'),
    path: 'experts[0].provider.use',
    line: 4,
    message: /no provider named "opanai"/,
    fix: /Did you mean "openai"\?/,
  },
  {
    name: 'a bad option of a policy',
    yaml: `${EXPERT}modes:\n  auto:\n    policy: { use: cheapestAbove, minQuality: 2 }\n    composition: { use: fallback }\n`,
    path: 'modes.auto.policy.minQuality',
    line: 8,
    message: /minQuality must be .*got 2/,
    fix: /./,
  },
  {
    name: 'an unknown option of a composition',
    yaml: `${EXPERT}modes:\n  auto:\n    policy: { use: static }\n    composition: { use: fallback, attempt: 2 }\n`,
    path: 'modes.auto.composition.attempt',
    line: 9,
    message: /attempts/,
    fix: /spelling/,
  },
  {
    name: 'an unknown expert in a mode',
    yaml: `${EXPERT}modes:\n  auto:\n    experts: [smal]\n    policy: { use: static }\n    composition: { use: single }\n`,
    path: 'modes.auto.experts[0]',
    line: 8,
    message: /no expert "smal"/,
    fix: /Did you mean "small"\?/,
  },
  {
    name: 'an unknown expert in the order of a policy',
    yaml: `${EXPERT}modes:\n  auto:\n    policy: { use: static, order: [small, large] }\n    composition: { use: single }\n`,
    path: 'modes.auto.policy.order[1]',
    line: 8,
    message: /no expert "large"/,
    fix: /Known: small/,
  },
  {
    name: 'two experts of one id',
    yaml: `${EXPERT}  - id: small\n    provider: { use: openai, baseUrl: "http://127.0.0.1:8000/v1", model: n }\n`,
    path: 'experts[1].id',
    line: 6,
    message: /"small" is the id of two experts/,
    fix: /own/,
  },
  {
    name: 'an unknown skill',
    yaml: `${EXPERT}    quality: { default: 0.5, mathe: 0.9 }\nskills:\n  maths: { keywords: [sum] }\n`,
    path: 'experts[0].quality.mathe',
    line: 6,
    message: /no skill "mathe"/,
    fix: /Did you mean "maths"\?/,
  },
  {
    name: 'a price that is a text',
    yaml: EXPERT.replace('inputUsdPerMTok: 1', 'inputUsdPerMTok: cheap'),
    path: 'experts[0].price.inputUsdPerMTok',
    line: 5,
    message: /number/,
    fix: /USD per million prompt tokens/,
  },
  {
    name: 'a negative price',
    yaml: EXPERT.replace('inputUsdPerMTok: 1', 'inputUsdPerMTok: -1'),
    path: 'experts[0].price.inputUsdPerMTok',
    line: 5,
    message: />= 0/,
    fix: /USD per million prompt tokens/,
  },
  {
    name: 'a quality above 1',
    yaml: `${EXPERT}    quality: 90\n`,
    path: 'experts[0].quality',
    line: 6,
    message: /quality/,
    fix: /0\.\.1/,
  },
  {
    name: 'a port that is none',
    yaml: `${EXPERT}server:\n  port: 99999\n`,
    path: 'server.port',
    line: 7,
    message: /65535/,
    fix: /Default 4180/,
  },
  {
    name: 'a capability that nobody has',
    yaml: `${EXPERT}    capabilities: [tools, sight]\n`,
    path: 'experts[0].capabilities[1]',
    line: 6,
    message: /capabilities/,
    fix: /./,
  },
  {
    name: 'a list where a map belongs',
    yaml: `${EXPERT}server: [1]\n`,
    path: 'server',
    line: 6,
    message: /server/,
    fix: /Where and how to listen/,
  },
  {
    name: 'an expert without a provider',
    yaml: 'version: 1\nexperts:\n  - id: small\n',
    path: 'experts[0].provider',
    line: 3,
    message: /"provider" is missing in experts\[0\]/,
    fix: /provider/,
  },
  {
    name: 'a key of an expert in the file',
    yaml: `${EXPERT}    apiKey: ${SECRET}\n`,
    path: 'experts[0].apiKey',
    line: 6,
    message: /Keys do not belong in this file/,
    fix: /apiKeyEnv/,
  },
  {
    name: 'a key of a provider in the file',
    yaml: EXPERT.replace('model: m', `model: m, apiKey: ${SECRET}`),
    path: 'experts[0].provider.apiKey',
    line: 4,
    message: /apiKey/,
    fix: /apiKeyEnv/,
  },
  {
    name: 'a key under another name in the file',
    yaml: EXPERT.replace('model: m', `model: m, api_key: ${SECRET}`),
    path: 'experts[0].provider.api_key',
    line: 4,
    message: /api_key/,
    fix: /apiKeyEnv/,
  },
  {
    name: 'a key in place of the name of its variable',
    yaml: EXPERT.replace('model: m', `model: m, apiKeyEnv: ${SECRET}`),
    path: 'experts[0].provider.apiKeyEnv',
    line: 4,
    message: /name of an environment variable/,
    fix: /never the key itself/,
  },
  {
    name: 'a password in baseUrl',
    yaml: EXPERT.replace('http://', `http://user:${SECRET}@`),
    path: 'experts[0].provider.baseUrl',
    line: 4,
    message: /without user and password/,
    fix: /apiKeyEnv/,
  },
  {
    name: 'a baseUrl that is none, with a password',
    yaml: EXPERT.replace('http://127.0.0.1:8000', `http://user:${SECRET}@host:port`),
    path: 'experts[0].provider.baseUrl',
    line: 4,
    message: /a URL/,
    fix: /For example/,
  },
  {
    name: 'a key in the query of baseUrl',
    yaml: EXPERT.replace('/v1"', `/v1?key=${SECRET}"`),
    path: 'experts[0].provider.baseUrl',
    line: 4,
    message: /without query/,
    fix: /For example/,
  },
  {
    name: 'a file of another scheme',
    yaml: EXPERT.replace('http://127.0.0.1:8000/v1', 'file:///etc/passwd'),
    path: 'experts[0].provider.baseUrl',
    line: 4,
    message: /http or https/,
    fix: /For example/,
  },
  {
    name: 'a name of a mode with capitals',
    yaml: `${EXPERT}modes:\n  Auto: {}\n`,
    path: 'modes.Auto',
    line: 7,
    message: /"Auto" cannot be a name/,
    fix: /small letters/,
  },
  { name: 'text', yaml: 'hello\n', path: '', line: 1, message: /not a map/, fix: /version: 1/ },
  { name: 'nothing', yaml: '', path: '', line: 1, message: /not a map/, fix: /version: 1/ },
  { name: 'a list', yaml: '- 1\n', path: '', line: 1, message: /not a map/, fix: /version: 1/ },
  { name: 'a key twice', yaml: `${EXPERT}version: 1\n`, path: '', line: 6, message: /unique/, fix: /YAML/ },
  {
    name: 'a bracket that is not closed',
    yaml: 'version: 1\nexperts: [\n',
    path: '',
    line: 3,
    message: /./,
    fix: /YAML/,
  },
  { name: 'tabs', yaml: 'version: 1\nserver:\n\tport: 1\n', path: '', line: 3, message: /[Tt]ab/, fix: /YAML/ },
];

function issuesOf(yaml: string): readonly ConfigIssue[] {
  try {
    parseConfig(yaml);
  } catch (error) {
    assert.ok(error instanceof GatewrightError, `${error}`);
    assert.equal(error.code, 'GW_CONFIG');
    assert.ok(
      !`${error.message} ${error.fix} ${JSON.stringify(error.facts)} ${error.path}`.includes(SECRET),
      'repeats a secret',
    );
    return error.facts['issues'] as ConfigIssue[];
  }
  return assert.fail('the file was taken');
}

describe('a file that is refused for', () => {
  for (const { name, yaml, path, line, message, fix } of ROWS) {
    test(name, () => {
      const issues = issuesOf(yaml);
      const issue = issues.find((found) => found.path === path);
      assert.ok(issue !== undefined, JSON.stringify(issues));
      assert.equal(issue.line, line);
      assert.match(issue.message, message);
      assert.match(issue.fix, fix);
    });
  }

  test('aliases that grow without end', () => {
    const levels = ['a: &a [x, x, x, x, x, x, x, x, x]'];
    for (const [name, before] of ['ba', 'cb', 'dc', 'ed', 'fe', 'gf', 'hg', 'ih'] as const)
      levels.push(`${name}: &${name} [${Array(9).fill(`*${before}`).join(', ')}]`);
    const startMs = performance.now();
    const [issue] = issuesOf(`${EXPERT}${levels.join('\n')}\n`);
    assert.match(issue!.message, /alias/i);
    assert.match(issue!.fix, /fewer YAML aliases/);
    assert.ok(performance.now() - startMs < 1_000);
  });

  test('several things names them all at once, each with its line', () => {
    const issues = issuesOf(
      'version: 1\nserver: { port: -1, hots: x }\nexperts:\n  - id: "a b"\n    provider: { use: openai }\n    quality: 2\n',
    );
    assert.deepEqual(issues.map(({ path, line }) => `${path} ${line}`).sort(), [
      'experts[0].id 4',
      'experts[0].quality 6',
      'server.hots 2',
      'server.port 2',
    ]);
    const plugins = issuesOf(
      `${EXPERT.replace('model: m', 'model: 7')}modes:\n  a: { policy: { use: x }, composition: { use: y } }\n  b: { experts: [no], policy: { use: static }, composition: { use: single } }\n`,
    );
    assert.deepEqual(
      plugins.map(({ path }) => path),
      ['modes.b.experts[0]', 'modes.a.policy.use', 'modes.a.composition.use', 'experts[0].provider.model'],
    );
  });

  test('one thing says so in one line, for several there is a list', () => {
    const messageOf = (yaml: string): string => {
      try {
        parseConfig(yaml);
      } catch (error) {
        return (error as Error).message;
      }
      return '';
    };
    assert.match(messageOf(`${EXPERT}serve: 1\n`), /^line 6, serve: There is no setting "serve" here\. Did you mean/);
    assert.match(
      messageOf('version: 2\nexperts: []\n'),
      /^2 problems:\n {2}line 1, version: .*\n {2}line 2, experts: /,
    );
  });
});

describe('a file that is in order', () => {
  const full = `# every setting once
version: 1
seed: 7
server:
  host: 127.0.0.1
  port: 0
  apiKeyEnv: MY_KEY
  maxBodyBytes: 4096
  maxConnections: 10
  clientStallMs: 500
storage: { directory: traces, keepBytes: 1048576, bodies: true }
timeouts: { connectMs: 100, firstByteMs: 200, firstContentMs: 250, idleMs: 300, totalMs: 400 }
retries: { attempts: 4, baseMs: 10, maxMs: 100 }
breaker: { failuresInARow: 5, failureRate: 0.3, windowMs: 5000, minimumCalls: 9, openMs: 50, longestOpenMs: 900, probes: 2 }
resilience: { retryShare: 0.2, continueAttempts: 2, hedgeShare: 0.05, hedgeUsdPerHour: 1, outlierFactor: 5, outlierShare: 0.2 }
prices: { stepSize: 0.1, cap: 1, spendUsdPerHour: 5 }
skills:
  code: { keywords: [function, "=>"] }
experts:
  - &base
    id: local
    provider: { use: openai, baseUrl: "http://127.0.0.1:8000/v1/", model: m, apiKeyEnv: KEY, params: { temperature: 0 }, streamUsage: false, maxAnswerBytes: 4096 }
    price: { inputUsdPerMTok: 0.1, outputUsdPerMTok: 0.2, cachedInputUsdPerMTok: 0.05 }
    quality: { code: 0.9 }
    latencyMs: 800
    outputTokens: 100
    contextTokens: 8192
    capabilities: [tools, json, vision, logprobs, samples]
    capacity: { concurrent: 4, requestsPerMinute: 60 }
    timeouts: { idleMs: 50 }
    retries: { attempts: 1 }
    breaker: { probes: 1 }
  - { id: "vendor:model-1.5", provider: { use: openai, baseUrl: "https://example.com/v1", model: m } }
modes:
  auto:
    summary: Best.
    experts: [local, "vendor:model-1.5"]
    policy: { use: bestOf }
    composition: { use: hedge, afterMs: 100 }
`;

  test('is taken with every setting, and its defaults are filled in', () => {
    const config = parseConfig(full);
    assert.equal(config.experts[0]!.quality['default'], 0.5);
    assert.deepEqual(config.experts[0]!.timeouts, {
      connectMs: 100,
      firstByteMs: 200,
      firstContentMs: 250,
      idleMs: 50,
      totalMs: 400,
    });
    assert.deepEqual(config.experts[0]!.retries, { attempts: 1, baseMs: 10, maxMs: 100 });
    assert.equal(config.experts[0]!.breaker.probes, 1);
    assert.equal(config.experts[0]!.breaker.openMs, 50);
    assert.equal(config.resilience.hedgeUsdPerHour, 1);
    assert.deepEqual(config.experts[1]!.capabilities, ['tools', 'json', 'samples']);
    assert.deepEqual(config.experts[1]!.timeouts.idleMs, 300);
    assert.equal(config.server.apiKeyEnv, 'MY_KEY');
    assert.deepEqual(Object.keys(config.modes), ['auto']);
  });

  test('of the smallest kind has the modes auto and cascade, and listens on loopback', () => {
    const config = parseConfig(EXPERT);
    assert.deepEqual(Object.keys(config.modes), ['auto', 'cascade']);
    assert.deepEqual([config.server.host, config.server.port], ['127.0.0.1', 4180]);
    assert.equal(config.storage.bodies, false);
  });

  test('may be JSON', () => {
    assert.equal(parseConfig(JSON.stringify({ version: 1, experts: parseConfig(EXPERT).experts })).experts.length, 1);
  });

  test('has a hash that follows its content, not its form', () => {
    const hash = parseConfig(EXPERT).hash;
    assert.match(hash, /^[0-9a-f]{16}$/);
    assert.equal(parseConfig(`# a note\n${EXPERT}`).hash, hash);
    assert.notEqual(parseConfig(EXPERT.replace('small', 'large')).hash, hash);
  });

  test('is frozen through and through', () => {
    const config: Config = parseConfig(full);
    const walk = (value: unknown): void => {
      if (value === null || typeof value !== 'object') return;
      assert.ok(Object.isFrozen(value));
      for (const child of Object.values(value)) walk(child);
    };
    walk(config);
  });
});

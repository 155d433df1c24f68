/** No command prints a key, but for the one that makes it; the lines of `serve` hold no secret of the environment. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { runCommandLine } from '../run.ts';

const root = mkdtempSync(join(tmpdir(), 'gatewright-canary-'));
after(() => rmSync(root, { recursive: true, force: true }));
const store = join(root, 'store');
const file = join(root, 'gatewright.yaml');

/** They look like no key, so only knowing them hides them. */
const env = {
  UP_KEY: 'upCANARY0123456789',
  GATEWRIGHT_API_KEY: 'ownCANARY0123456789abcdef,twoCANARY0123456789abcdef',
  GATEWRIGHT_ADMIN_TOKEN: 'admCANARY0123456789abcdef',
};
const SECRETS = Object.values(env).flatMap((list) => list.split(','));
writeFileSync(
  file,
  JSON.stringify({
    version: 1,
    server: { port: 0 },
    admin: { port: 0 },
    logs: { requests: true },
    storage: { directory: store },
    experts: [
      {
        id: 'a',
        provider: { use: 'openai', baseUrl: 'http://127.0.0.1:9/v1', model: 'm', apiKeyEnv: 'UP_KEY' },
        price: { inputUsdPerMTok: 1, outputUsdPerMTok: 1 },
      },
    ],
  }),
);

async function run(argv: readonly string[], stop = new AbortController().signal, onLine = (_: string): void => {}) {
  const lines: string[] = [];
  const add = (line: string): void => {
    lines.push(line);
    onLine(line);
  };
  const code = await runCommandLine(argv, { print: add, note: add, env, stop, isTerminal: false });
  return { code, text: lines.join('\n') };
}

function assertClean(text: string, secrets: readonly string[], where: string): void {
  for (const secret of secrets)
    for (const form of [
      secret,
      secret.slice(secret.length / 2),
      btoa(secret).replace(/=+$/, ''),
      Buffer.from(secret).toString('hex'),
    ])
      assert.ok(!text.includes(form), `${where} says ${form}`);
}

test('serve says no secret, whoever sends one in the wrong place', async () => {
  for (const json of [[], ['--json']]) {
    const stop = new AbortController();
    let begun = (_url: string): void => {};
    const url = new Promise<string>((resolve) => (begun = resolve));
    const serving = run(['serve', '--config', file, ...json], stop.signal, (line) => {
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(line);
      if (found !== null) begun(found[0]);
    });
    const base = await url;
    for (const secret of SECRETS) {
      for (const path of [`/v1/${secret}`, `/${secret}/x`, `/v1/models/${secret}`])
        await (await fetch(base + path, { headers: { authorization: `Bearer ${SECRETS[1]}` } })).text();
      await (await fetch(`${base}/v1/models`, { headers: { authorization: `Bearer ${secret}` } })).text();
    }
    stop.abort();
    const { code, text } = await serving;
    assert.equal(code, 0);
    assert.match(text, /request.*\/v1\/models/, 'requests were written down');
    assertClean(text, SECRETS, 'serve');
  }
});

test('no command prints a key again, in any form', async () => {
  const place = ['--store', store];
  const made = await run(['keys', 'create', '--name', 'app', '--role', 'use', '--role', 'admin', '--json', ...place]);
  const { id, key } = JSON.parse(made.text.split('\n')[0]!) as { id: string; key: string };
  const rotated = await run(['keys', 'rotate', id, ...place]);
  const newer = /gw-\w+/.exec(rotated.text)![0];
  const commands = [
    ['keys', 'change', id, '--name', key],
    ['keys', 'show', key],
    ['keys', 'revoke', key],
    ['audit', 'list'],
    ['audit', 'list', '--json'],
    ['audit', 'verify'],
    ['keys', 'revoke', id],
    ['keys', 'create', '--name', `pasted ${key}`],
    ['keys', 'create', '--name', 'x', '--note', `old=${newer}`],
    ['keys', 'list'],
    ['keys', 'delete', id],
    ['usage'],
    ['usage', '--json'],
    ['audit', 'list', '--json'],
  ];
  for (const argv of commands) assertClean((await run([...argv, ...place])).text, [key, newer], argv.join(' '));
  for (const argv of [['check', '--config', file], ['schema']])
    assertClean((await run(argv)).text, [key, newer, ...SECRETS], argv.join(' '));
});

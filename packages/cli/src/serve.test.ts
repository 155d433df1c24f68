/** `gatewright serve` as a process: it starts, reloads, refuses, and stops. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));
let folder: string;
before(() => {
  folder = mkdtempSync(join(tmpdir(), 'gatewright-serve-'));
});
after(() => rmSync(folder, { recursive: true, force: true }));

interface Started {
  readonly url: string;
  readonly child: ChildProcess;
  /** Standard error so far. */
  log(): string;
  stop(): Promise<number | null>;
}

/** Starts a gateway; resolves when it is ready, rejects with what it said if it ends before. */
function start(args: readonly string[], env: Record<string, string> = {}): Promise<Started> {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', MAIN, 'serve', '--json', ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let out = '';
  let err = '';
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  return new Promise((resolve, reject) => {
    child.stderr.on('data', (part) => {
      err += part;
    });
    child.stdout.on('data', (part) => {
      out += part;
      if (!out.includes('\n')) return;
      const { url } = JSON.parse(out.split('\n')[0]!) as { url: string };
      resolve({
        url,
        child,
        log: () => err,
        stop() {
          child.kill('SIGTERM');
          return ended;
        },
      });
    });
    void ended.then((code) => reject(Object.assign(new Error(err), { code })));
  });
}

async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  const endMs = performance.now() + 10_000;
  while (!(await isSo())) {
    if (performance.now() > endMs) assert.fail('it did not happen within 10 s');
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
}

const expert = (id: string): string => `  - { id: ${id}, provider: { use: sandbox, expert: sage, realtime: false } }\n`;

test('a sound change of the file is in force without a restart, a bad one is refused with its reason and the old one stays', async () => {
  const path = join(folder, 'live.yaml');
  writeFileSync(path, `version: 1\nexperts:\n${expert('first')}`);
  const gateway = await start(['--config', path, '--port', '0', '--store', join(folder, 'live')]);
  const models = async (): Promise<string[]> =>
    ((await (await fetch(`${gateway.url}/v1/models`)).json()) as { data: { id: string }[] }).data.map(({ id }) => id);
  try {
    assert.ok((await models()).includes('first'));

    writeFileSync(path, `version: 1\nexperts:\n${expert('first')}${expert('second')}`);
    await until(async () => (await models()).includes('second'));

    writeFileSync(path, `version: 1\nexperts:\n${expert('third')}    colour: blue\n`);
    await until(() => /refused/.test(gateway.log()));
    assert.ok((await models()).includes('second') && !(await models()).includes('third'));
    const ready = (await (await fetch(`${gateway.url}/readyz`)).json()) as { config: string };
    assert.match(ready.config, /refused/);

    writeFileSync(path, `version: 1\nexperts:\n${expert('fourth')}`);
    await until(async () => (await models()).includes('fourth'));
    assert.equal(((await (await fetch(`${gateway.url}/readyz`)).json()) as { config: string }).config, 'in force');
  } finally {
    assert.equal(await gateway.stop(), 0);
  }
});

test('with no configuration it serves the sandbox, and SIGTERM lets a stream finish', async () => {
  const gateway = await start(['--port', '0', '--store', join(folder, 'sandbox')]);
  const response = await fetch(`${gateway.url}/v1/chat/completions`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'sage', stream: true, messages: [{ role: 'user', content: 'What is 2 + 2?' }] }),
  });
  assert.equal(response.status, 200);
  const stopped = gateway.stop();
  assert.match(await response.text(), /data: \[DONE\]\n\n$/);
  assert.equal(await stopped, 0);
});

test('it refuses to listen beyond loopback without a key, and says how to set one', async () => {
  await assert.rejects(
    start(['--host', '0.0.0.0', '--port', '0', '--store', join(folder, 'open')]),
    (error: Error & { code: number }) => {
      assert.equal(error.code, 3);
      assert.match(error.message, /GW_UNSAFE_BIND/);
      assert.match(error.message, /GATEWRIGHT_API_KEY/);
      return true;
    },
  );
  const keyed = await start(['--host', '0.0.0.0', '--port', '0', '--store', join(folder, 'open')], {
    GATEWRIGHT_API_KEY: 'a-key',
  });
  assert.equal((await fetch(`${keyed.url}/v1/models`)).status, 401);
  assert.equal((await fetch(`${keyed.url}/v1/models`, { headers: { authorization: 'Bearer a-key' } })).status, 200);
  assert.equal(await keyed.stop(), 0);
});

test('a port that is taken and a folder that is open elsewhere are told, each with the way out', async () => {
  const first = await start(['--port', '0', '--store', join(folder, 'taken')]);
  try {
    const { port } = new URL(first.url);
    await assert.rejects(start(['--port', port, '--store', join(folder, 'other')]), /GW_PORT_IN_USE/);
    await assert.rejects(start(['--port', '0', '--store', join(folder, 'taken')]), /GW_STORE_LOCKED/);
  } finally {
    await first.stop();
  }
});

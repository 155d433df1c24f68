/**
 * Portkey's open-source gateway, from npm, with the same Node. The packages go to `.bench/portkey` on first use.
 *
 * The overrides are the versions in Portkey's own lock file. With the newest hono and @hono/node-server that its ranges
 * allow, every streamed answer is a 500, which would be no comparison.
 *
 * Its stream handler sleeps 25 ms before the first event of every stream (`readStream`), so that much of the latency
 * that it adds to a stream, and of its low stream ceiling at few connections, is a wait and not work.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from '../children.ts';
import { AUTHORIZATION, type Target, type TargetContext } from './target.ts';

const VERSION = '1.15.2';
const OVERRIDES = { hono: '4.9.7', '@hono/node-server': '1.13.5', '@hono/node-ws': '1.2.0' };
const INSTALL_LIMIT_MS = 180_000;

export function portkey(): Target {
  return {
    name: 'portkey',
    async start(context) {
      const { children, folder, repository, upstreamUrl } = context;
      const packages = join(repository, '.bench', 'portkey');
      await install(packages, context);
      const port = await freePort();
      const child = await children.start(
        process.execPath,
        [
          '--disable-warning=ExperimentalWarning',
          '--import',
          fileURLToPath(new URL('./loopback-only.ts', import.meta.url)),
          join(packages, 'node_modules', '@portkey-ai', 'gateway', 'build', 'start-server.js'),
          `--port=${port}`,
          '--headless',
        ],
        { cwd: folder, env: { ...process.env, NODE_ENV: 'production' } },
      );
      await child.waitForUrl(`http://127.0.0.1:${port}/`);
      return {
        baseUrl: `http://127.0.0.1:${port}/v1`,
        headers: { ...AUTHORIZATION, 'x-portkey-provider': 'openai', 'x-portkey-custom-host': upstreamUrl },
        modelName: 'mock-model',
        pids: [child.pid],
        about: `@portkey-ai/gateway ${VERSION}, headless, one provider (hono ${OVERRIDES.hono}, node-server ${OVERRIDES['@hono/node-server']}); its code sleeps 25 ms before each stream's first event`,
        ending: child.ending,
        stop: child.stop,
      };
    },
  };
}

async function install(packages: string, { children, say }: TargetContext): Promise<void> {
  if (isInstalled(packages)) return;
  say(`installing @portkey-ai/gateway ${VERSION} into .bench/portkey (first use)`);
  mkdirSync(packages, { recursive: true });
  const manifest = { name: 'bench-portkey', version: '1.0.0', private: true };
  const dependencies = { '@portkey-ai/gateway': VERSION };
  writeFileSync(
    join(packages, 'package.json'),
    JSON.stringify({ ...manifest, dependencies, overrides: OVERRIDES }, undefined, 2),
  );
  const npm = await children.start('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], {
    cwd: packages,
    shell: process.platform === 'win32',
  });
  const until = performance.now() + INSTALL_LIMIT_MS;
  while (npm.process.exitCode === null && performance.now() < until) await sleep(100);
  await npm.stop();
  if (!isInstalled(packages)) throw new Error('its installation from npm failed; see .bench/portkey');
}

function isInstalled(packages: string): boolean {
  const wanted = Object.entries({ '@portkey-ai/gateway': VERSION, ...OVERRIDES });
  try {
    return wanted.every(([name, version]) => {
      const manifest = readFileSync(join(packages, 'node_modules', name, 'package.json'), 'utf8');
      return JSON.parse(manifest).version === version;
    });
  } catch {
    return false;
  }
}

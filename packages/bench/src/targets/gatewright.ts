/** This repository's gateway as `npm start` runs it, with one expert: the mock upstream. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../children.ts';
import { AUTHORIZATION, type Target } from './target.ts';

export function gatewright(): Target {
  return {
    name: 'gatewright',
    async start({ upstreamUrl, children, folder, repository }) {
      const port = await freePort();
      const configFile = join(folder, 'gatewright.yaml');
      writeFileSync(configFile, config(upstreamUrl, port));
      const main = join(repository, 'packages', 'cli', 'src', 'main.ts');
      const child = await children.start(
        process.execPath,
        ['--disable-warning=ExperimentalWarning', main, 'serve', '--config', configFile, '--port', String(port)],
        // Its data goes to the temporary folder. The mock takes any key, and so does the gateway without one set.
        {
          cwd: folder,
          env: { ...process.env, NODE_ENV: 'production', OPENAI_API_KEY: 'bench-key', GATEWRIGHT_API_KEY: undefined },
        },
      );
      const origin = `http://127.0.0.1:${port}`;
      await child.waitForUrl(`${origin}/healthz`);
      const { version } = JSON.parse(readFileSync(join(repository, 'packages', 'cli', 'package.json'), 'utf8'));
      return {
        baseUrl: `${origin}/v1`,
        headers: AUTHORIZATION,
        modelName: 'gw/auto',
        pids: [child.pid],
        about: `${version}, one expert, policy bestOf, composition fallback, everything else as it comes`,
        confirm: async () => ((await hasTraces(origin)) ? 'traces on, read back after the warm-up' : 'NO traces seen'),
        ending: child.ending,
        stop: child.stop,
      };
    },
  };
}

async function hasTraces(origin: string): Promise<boolean> {
  try {
    const response = await fetch(`${origin}/v1/traces?limit=1`, { signal: AbortSignal.timeout(5000) });
    const list = (await response.json()) as { data?: unknown };
    return Array.isArray(list.data) && list.data.length === 1;
  } catch {
    return false;
  }
}

function config(upstreamUrl: string, port: number): string {
  return `version: 1
server: { host: 127.0.0.1, port: ${port} }
experts:
  - id: mock
    provider: { use: openai, baseUrl: "${upstreamUrl}", model: mock-model }
    price: { inputUsdPerMTok: 1, outputUsdPerMTok: 2 }
    quality: 0.8
modes:
  auto: { policy: { use: bestOf }, composition: { use: fallback } }
`;
}

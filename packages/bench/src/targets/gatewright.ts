/** This repository's gateway as `npm start` runs it, with one expert: the mock upstream. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../children.ts';
import { AUTHORIZATION, type Target } from './target.ts';

/** As it comes. */
export function gatewright(): Target {
  return target('gatewright', 'everything else as it comes', false);
}

/** With all that can be switched on: virtual keys with limits, budgets, the exact cache, spans of a tenth of the requests, request lines. */
export function gatewrightFull(): Target {
  return target(
    'gatewright-full',
    'a virtual key with rate limits and a budget, budgets of its project and the gateway, exact cache (nothing lives long enough for a hit), a tenth of the requests exported over OTLP, request lines',
    true,
  );
}

function target(name: string, what: string, isFull: boolean): Target {
  return {
    name,
    async start({ upstreamUrl, children, folder, repository }) {
      const port = await freePort();
      const configFile = join(folder, 'gatewright.yaml');
      const store = join(folder, '.gatewright');
      writeFileSync(configFile, config(upstreamUrl, port) + (isFull ? full(upstreamUrl) : ''));
      const main = join(repository, 'packages', 'cli', 'src', 'main.ts');
      const headers = isFull ? { authorization: `Bearer ${newKey(main, store)}` } : AUTHORIZATION;
      const child = await children.start(
        process.execPath,
        [
          '--disable-warning=ExperimentalWarning',
          main,
          'serve',
          '--config',
          configFile,
          '--port',
          String(port),
          '--store',
          store,
        ],
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
        headers,
        modelName: 'gw/auto',
        pids: [child.pid],
        about: `${version}, one expert, policy bestOf, composition fallback, ${what}`,
        confirm: async () =>
          (await hasTraces(origin, headers)) ? 'traces on, read back after the warm-up' : 'NO traces seen',
        ending: child.ending,
        stop: child.stop,
      };
    },
  };
}

async function hasTraces(origin: string, headers: Readonly<Record<string, string>>): Promise<boolean> {
  try {
    const response = await fetch(`${origin}/v1/traces?limit=1`, { headers, signal: AbortSignal.timeout(5000) });
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

/** The collector of spans is the mock upstream too: it answers any body. */
function full(upstreamUrl: string): string {
  return `budgets:
  global: { budgets: [{ usd: 1000000, window: day }] }
  projects: { bench: { requestsPerMinute: 100000000, budgets: [{ usd: 1000000, window: month }] } }
cache: { exact: { ttlMs: 1, onlyDeterministic: false } }
telemetry: { otlp: { url: "${upstreamUrl}/traces", sampleRatio: 0.1 } }
logs: { format: json, requests: true }
`;
}

const LIMITS =
  '{"requestsPerMinute":100000000,"tokensPerMinute":1e12,"concurrent":1000,"budgets":[{"usd":1000000,"window":"day"}]}';

function newKey(main: string, store: string): string {
  const args = [
    'keys',
    'create',
    '--name',
    'bench',
    '--project',
    'bench',
    '--limits',
    LIMITS,
    '--store',
    store,
    '--json',
  ];
  const told = execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', main, ...args], {
    encoding: 'utf8',
  });
  return (JSON.parse(told) as { key: string }).key;
}

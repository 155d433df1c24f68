/** A gateway over the sandbox for tests: at once instead of in real time, in memory, on a port of its own. */
import { checkConfig, createGateway, type Gateway, memory, sandboxConfig, serve } from '../src/index.ts';

/** Starts one. `change` may edit the configuration before it is checked. */
export async function startSandbox(
  change: (config: Record<string, unknown>) => void = () => {},
): Promise<{ url: string; gateway: Gateway; close(): Promise<void> }> {
  const content = structuredClone(sandboxConfig()) as Record<string, unknown> & { experts: { provider: object }[] };
  content['server'] = { port: 0 };
  content['seed'] = 1;
  for (const expert of content.experts) Object.assign(expert.provider, { realtime: false });
  change(content);
  const gateway = createGateway({ config: checkConfig(content), store: memory({ keep: 100_000 }), env: {} });
  const server = await serve(gateway, {});
  return { url: server.url, gateway, close: () => server.close(1_000) };
}

/** POSTs JSON. */
export function post(url: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

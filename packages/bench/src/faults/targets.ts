/** The gateways that the fault matrix runs against. */
import { expertAt, startGateway } from '@gatewright/gateway/testing';
import { portkey } from '../targets/index.ts';
import type { TargetContext } from '../targets/target.ts';
import type { MatrixTarget } from './matrix.ts';
import { DIALECTS } from './observe.ts';

/** This gateway, in this process, a new one for each cell. Retries are off, so that a cell shows one failure. */
export function gatewrightTarget(): MatrixTarget {
  return {
    name: 'gatewright',
    dialects: DIALECTS,
    async connect(experts) {
      const gate = await startGateway({
        timeouts: { connectMs: 400, firstByteMs: 300, idleMs: 300, totalMs: 3_000 },
        experts: experts.map((url, index) => expertAt(`expert-${index}`, url, {}, { maxAnswerBytes: 8_192 })),
        modes: { first: { policy: { use: 'static' }, composition: { use: 'fallback' } } },
      });
      return {
        address: { baseUrl: `${gate.url}/v1`, headers: {}, model: 'gw/first' },
        close: () => gate.close(50),
      };
    },
  };
}

/**
 * Portkey's gateway, one process for all cells, told by header what to do. It relays the other formats to providers that
 * speak them and does not translate them for a Chat Completions server, so it runs the Chat Completions cells alone.
 */
export async function portkeyTarget(context: TargetContext): Promise<MatrixTarget & { stop(): Promise<void> }> {
  const running = await portkey().start(context);
  return {
    name: 'portkey',
    dialects: ['chat'],
    // It has no limit on the size of an answer.
    unsupported: ['oversized', 'endlessLine', 'endless400'],
    connect: (experts) => {
      const config = {
        // By default it falls back on every status that is no success, a request that is itself at fault included.
        strategy: { mode: 'fallback', on_status_codes: [302, 401, 403, 404, 408, 429, 500, 502, 503, 504, 529] },
        request_timeout: 1_000,
        targets: experts.map((url) => ({ provider: 'openai', api_key: 'bench-key', custom_host: url })),
      };
      return Promise.resolve({
        address: {
          baseUrl: running.baseUrl,
          headers: { 'x-portkey-config': JSON.stringify(config) },
          model: 'mock-model',
        },
        close: () => Promise.resolve(),
      });
    },
    stop: running.stop,
  };
}

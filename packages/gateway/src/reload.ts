/** Hot reload: a changed configuration file is put in force if it is sound, refused with its reasons if not. */
import { readFileSync, watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { isGatewrightError } from '@gatewright/kernel';
import { type Config, parseConfig } from './config/config.ts';
import type { Gateway } from './gateway.ts';
import type { Log } from './log.ts';

/** What came of reading the file. */
export type ReloadOutcome =
  | {
      readonly status: 'applied' | 'unchanged';
      /** Of the configuration in force. */
      readonly hash: string;
      /** Settings that changed and are read at start only. */
      readonly takesEffectAfterRestart: readonly string[];
    }
  | { readonly status: 'refused'; readonly reason: string };

/** Editors write a file in several steps; the last one counts. */
const SETTLE_MS = 100;

/**
 * Watches a configuration file.
 *
 * Where it listens, who may talk to it and where the journal lies stay as they were until a restart; the log says so.
 *
 * @param adapt puts in what the command line overrides
 * @returns stops watching
 */
export function watchConfig(
  path: string,
  gateway: Gateway,
  log: Log,
  adapt: (config: Config) => Config = (config) => config,
): () => void {
  const file = resolve(path);
  let timer: NodeJS.Timeout | undefined;
  let seen = readText(file);

  const reload = (): ReloadOutcome => {
    const text = readText(file);
    // Editors that replace the file take it away for a moment; it comes back as another event.
    if (text === undefined) return { status: 'refused', reason: 'The file cannot be read.' };
    if (text === seen)
      return gateway.configFault === undefined
        ? { status: 'unchanged', hash: gateway.runtime.config.hash, takesEffectAfterRestart: [] }
        : { status: 'refused', reason: gateway.configFault };
    seen = text;
    try {
      const config = adapt(parseConfig(text));
      const before = gateway.runtime.config;
      gateway.reconfigure(config);
      gateway.configFault = undefined;
      const { cards, learning } = gateway.runtime;
      for (const warning of [...cards.warnings, ...learning.warnings]) log('warn', warning);
      gateway.metrics.reload('applied');
      gateway.live.publish('config', { status: 'applied', hash: config.hash });
      const needsRestart = RESTART_ONLY.filter((setting) => setting.of(before) !== setting.of(config)).map(
        ({ path }) => path,
      );
      log(
        'info',
        `configuration reloaded (${config.hash})`,
        needsRestart.length === 0 ? {} : { takesEffectAfterRestart: needsRestart },
      );
      return { status: 'applied', hash: config.hash, takesEffectAfterRestart: needsRestart };
    } catch (error) {
      const reason = isGatewrightError(error) ? `${error.message} ${error.fix}` : String(error);
      gateway.configFault = reason;
      gateway.metrics.reload('refused');
      gateway.live.publish('config', { status: 'refused', reason });
      log('warn', `the changed configuration is refused, the one before stays in force: ${reason}`);
      return { status: 'refused', reason };
    }
  };
  gateway.reload = reload;

  // The folder is watched, not the file: a file that is replaced would take its watch along.
  const watcher = watch(dirname(file), (_, name) => {
    if (name !== null && name !== basename(file)) return;
    clearTimeout(timer);
    timer = setTimeout(reload, SETTLE_MS);
  });
  watcher.on('error', (error) => log('warn', `the configuration file is not watched any more: ${error.message}`));
  return () => {
    gateway.reload = undefined;
    clearTimeout(timer);
    watcher.close();
  };
}

/** What is read once, when the gateway starts. */
const RESTART_ONLY: readonly { path: string; of: (config: Config) => unknown }[] = [
  { path: 'server.host', of: ({ server }) => server.host },
  { path: 'server.port', of: ({ server }) => server.port },
  { path: 'server.apiKeyEnv', of: ({ server }) => server.apiKeyEnv },
  { path: 'server.maxConnections', of: ({ server }) => server.maxConnections },
  { path: 'admin', of: ({ admin }) => JSON.stringify(admin) },
  { path: 'storage.directory', of: ({ storage }) => storage.directory },
  { path: 'storage.keepBytes', of: ({ storage }) => storage.keepBytes },
];

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

/** Which configuration a command works with. */
import { existsSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { type Config, checkConfig, parseConfig, sandboxConfig } from '@gatewright/gateway';
import { GatewrightError } from '@gatewright/kernel';

/** Name of the file that is used when none is named. */
export const CONFIG_FILE = 'gatewright.yaml';

/** A configuration and where it came from. */
export interface LoadedConfig {
  readonly config: Config;
  /** Undefined for the sandbox. */
  readonly path: string | undefined;
}

/**
 * Loads the named file, else `gatewright.yaml` of the current folder, else the sandbox.
 *
 * @throws {GatewrightError} `GW_CONFIG`, or `GW_CONFIG_FILE` if a named file cannot be read
 */
export function loadConfig(named: string | undefined): LoadedConfig {
  const path = named ?? (existsSync(CONFIG_FILE) ? CONFIG_FILE : undefined);
  if (path === undefined) return { config: checkConfig(sandboxConfig()), path: undefined };
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    const reason =
      (error as { code?: string }).code === 'ENOENT' ? 'there is no such file' : String((error as Error).message);
    throw new GatewrightError('GW_CONFIG_FILE', `The configuration ${path} cannot be read: ${reason}.`, {
      fix: '`gatewright init` writes an example.',
    });
  }
  try {
    return { config: parseConfig(text), path: resolve(path) };
  } catch (error) {
    if (!(error instanceof GatewrightError)) throw error;
    throw new GatewrightError(error.code, `${path}: ${error.message}`, {
      fix: error.fix,
      facts: error.facts,
      cause: error,
      ...(error.path === undefined ? {} : { path: error.path }),
    });
  }
}

/** From a name in a configuration to the thing itself. Knows no concrete gate, policy or composition. */
import { GatewrightError, UnknownNameError } from './errors.ts';

/** What a configuration says of a plug-in: the exported name of its factory, and its options beside it. */
export interface Spec {
  readonly use: string;
  readonly [option: string]: unknown;
}

/** Factories by their exported names. Options come from a file, so each factory checks its own. */
// biome-ignore lint/suspicious/noExplicitAny: the one seam where options of unknown shape meet factories that check them
export type Factories<T> = Readonly<Record<string, (options: any) => T>>;

/**
 * Builds what a spec names.
 *
 * @param kind what the names stand for, as in a message: `policy`, `composition`
 * @param path where the spec stands in the configuration, for the message
 * @throws {UnknownNameError} `GW_UNKNOWN_NAME`, listing the names there are
 * @throws {GatewrightError} what the factory throws, with `path` in front of its own
 */
export function create<T>(kind: string, factories: Factories<T>, spec: Spec, path = kind): T {
  const { use, ...options } = spec;
  const factory = Object.hasOwn(factories, use) ? factories[use] : undefined;
  if (factory === undefined) throw new UnknownNameError(kind, use, Object.keys(factories), { path: `${path}.use` });
  try {
    return factory(options);
  } catch (error) {
    if (!(error instanceof GatewrightError)) throw error;
    throw new GatewrightError(error.code, error.message, {
      fix: error.fix,
      path: error.path === undefined ? path : `${path}.${error.path}`,
      facts: error.facts,
      cause: error,
    });
  }
}

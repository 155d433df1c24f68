/** What a comparison sends its load to. One file per target; add one by writing it and naming it in `index.ts`. */
import type { Children } from '../children.ts';

/** What a target may use to start. */
export interface TargetContext {
  /** The mock upstream, up to and including `/v1`. */
  readonly upstreamUrl: string;
  readonly children: Children;
  /** Temporary, empty, this target's own, removed after the run. */
  readonly folder: string;
  /** Root of the repository. */
  readonly repository: string;
  /** Shows progress to whoever waits. */
  readonly say: (text: string) => void;
}

/** A target that answers. */
export interface RunningTarget {
  /** Up to and including `/v1`. */
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly modelName: string;
  /** Roots of its process trees; empty when it has no process of its own. */
  readonly pids: readonly number[];
  /** Version and set-up, for the report. */
  readonly about: string;
  /** Asked once after the warm-up: what of the set-up can be seen from outside. Never rejects. */
  confirm?(): Promise<string>;
  /** How its process ended of its own accord, in few words; undefined while it runs. */
  ending(): string | undefined;
  stop(): Promise<void>;
}

export interface Target {
  readonly name: string;
  /** @throws {Error} when it cannot run here, with the reason; the comparison then goes on without it */
  start(context: TargetContext): Promise<RunningTarget>;
}

/** The key that every target gets: the mock takes any. */
export const AUTHORIZATION = { authorization: 'Bearer bench-key' } as const;

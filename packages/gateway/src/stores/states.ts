/** Where the states of estimators are kept between runs: one JSON file each, replaced as a whole. */
import { mkdirSync, readFileSync, renameSync } from 'node:fs';
import { rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type EstimatorState, GatewrightError, type Spec } from '@gatewright/kernel';

/** A state with what it came from. */
export interface SavedState {
  readonly version: 1;
  readonly spec: Spec;
  /** How many observations were learned online. */
  readonly observations: number;
  readonly stateId: string;
  readonly state: EstimatorState;
}

/** Keeps states by name. */
export interface StateStore {
  /** What was saved under a name; undefined where there is nothing or it cannot be read. */
  load(name: string): SavedState | undefined;
  /** Takes what was saved under a name out of the way, where somebody can look at it. Never throws. */
  setAside(name: string): void;
  /**
   * Saves of one name are done one after another.
   * @throws {Error} what the file system says
   */
  save(name: string, saved: SavedState): Promise<void>;
  /**
   * Reads a trained state, as `gatewright train` writes it.
   * @throws {GatewrightError} `GW_STATE_FILE`
   */
  trained(path: string): EstimatorState;
}

/** States in memory: nothing outlives the process. */
export function memoryStates(): StateStore {
  const kept = new Map<string, SavedState>();
  return {
    load: (name) => kept.get(name),
    setAside: (name) => void kept.delete(name),
    save(name, saved) {
      kept.set(name, structuredClone(saved));
      return Promise.resolve();
    },
    trained: readTrainedState,
  };
}

/** States as files of a folder. Written beside and renamed, so that a kill leaves the old one or the new one. */
export function fileStates(directory: string): StateStore {
  const pathOf = (name: string): string => join(directory, `${name}.json`);
  const underWay = new Map<string, Promise<void>>();
  return {
    load(name) {
      try {
        const saved = JSON.parse(readFileSync(pathOf(name), 'utf8')) as SavedState;
        return saved.version === 1 ? saved : undefined;
      } catch {
        return undefined;
      }
    },
    setAside(name) {
      try {
        renameSync(pathOf(name), `${pathOf(name)}.damaged`);
      } catch {
        // Then the next save replaces it.
      }
    },
    save(name, saved) {
      const text = `${JSON.stringify(saved)}\n`;
      // Two at a time would write into the same file beside.
      const saving = (underWay.get(name) ?? Promise.resolve())
        .catch(() => {})
        .then(() => replaceFile(directory, pathOf(name), text))
        .finally(() => {
          if (underWay.get(name) === saving) underWay.delete(name);
        });
      underWay.set(name, saving);
      return saving;
    },
    trained: readTrainedState,
  };
}

async function replaceFile(directory: string, path: string, text: string): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const beside = `${path}.${process.pid}.tmp`;
  try {
    await writeFile(beside, text, { mode: 0o600 });
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
}

function readTrainedState(path: string): EstimatorState {
  try {
    const content = JSON.parse(readFileSync(path, 'utf8')) as { state?: EstimatorState };
    if (typeof content.state?.kind === 'string') return content.state;
  } catch (cause) {
    throw new GatewrightError('GW_STATE_FILE', `The trained state ${path} cannot be read.`, {
      fix: 'Name a file that `gatewright train` wrote.',
      cause,
    });
  }
  throw new GatewrightError('GW_STATE_FILE', `${path} holds no state of an estimator.`, {
    fix: 'Name a file that `gatewright train` wrote.',
  });
}

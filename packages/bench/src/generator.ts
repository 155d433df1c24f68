/** The load generator as its user sees it: one process for a whole run, told phase by phase what to send. */
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Child, Children } from './children.ts';
import type { LoadResult } from './load.ts';
import type { AnswerKind } from './traffic.ts';

/** How requests arrive. */
export type LoadPattern =
  | { readonly loop: 'open'; readonly ratePerSecond: number }
  | { readonly loop: 'closed'; readonly connections: number };

/** One phase of load on one target. */
export interface LoadPlan {
  /** Up to and including `/v1`. */
  readonly baseUrl: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly modelName: string;
  readonly kind: AnswerKind;
  readonly pattern: LoadPattern;
  readonly requests: number;
  readonly limitMs: number;
}

/** What a phase came to, with what it cost the generator itself. */
export interface LoadReport {
  readonly result: LoadResult;
  readonly generatorCpuMs: number;
}

export interface Generator {
  readonly child: Child;
  /** @throws {Error} if the target refuses connections or the generator is gone */
  run(plan: LoadPlan): Promise<LoadReport>;
}

/** What goes to the process. */
export interface LoadOrder extends LoadPlan {
  readonly id: number;
}

/** What comes back. */
export type LoadReply = ({ readonly id: number } & LoadReport) | { readonly id: number; readonly error: string };

export async function startGenerator(children: Children): Promise<Generator> {
  const child = await children.start(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', fileURLToPath(new URL('./load-process.ts', import.meta.url))],
    { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], serialization: 'advanced' },
  );
  await once(child.process, 'message'); // It is ready.
  const waiting = new Map<number, { resolve(report: LoadReport): void; reject(error: Error): void }>();
  let lastId = 0;
  child.process.on('message', (reply: LoadReply) => {
    const waiter = waiting.get(reply.id);
    waiting.delete(reply.id);
    if ('error' in reply) waiter?.reject(new Error(reply.error));
    else waiter?.resolve(reply);
  });
  child.process.on('exit', () => {
    for (const { reject } of waiting.values()) reject(new Error(`the load generator ${child.ending()}`));
    waiting.clear();
  });
  return {
    child,
    run(plan) {
      return new Promise((resolve, reject) => {
        lastId += 1;
        waiting.set(lastId, { resolve, reject });
        child.process.send({ ...plan, id: lastId } satisfies LoadOrder, (error) => {
          if (error) reject(error);
        });
      });
    },
  };
}

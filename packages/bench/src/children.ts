/**
 * The processes that a run starts, in one place so that none outlives it: they are stopped on `stopAll` and killed
 * when this process exits for whatever reason.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Child {
  readonly process: ChildProcess;
  readonly pid: number;
  /** How it ended, with the most telling line of its output; undefined while it runs. */
  ending(): string | undefined;
  /** Resolves with the first match in its output. @throws {Error} when it exits first or takes too long */
  waitForOutput(pattern: RegExp, limitMs?: number): Promise<RegExpExecArray>;
  /** Resolves when a GET is answered with 2xx. @throws {Error} when it exits first or takes too long */
  waitForUrl(url: string, limitMs?: number): Promise<void>;
  /** SIGTERM, then SIGKILL after two seconds. */
  stop(): Promise<void>;
}

export interface Children {
  start(command: string, args: readonly string[], options?: SpawnOptions): Promise<Child>;
  stopAll(): Promise<void>;
}

/** Kept of a child's output. */
const MAX_OUTPUT = 16_384;

export function createChildren(): Children {
  const children = new Set<Child>();
  process.on('exit', () => {
    for (const { process: child } of children) signalGroup(child, 'SIGKILL');
  });
  return {
    async start(command, args, options = {}) {
      const child = await startChild(command, args, options);
      children.add(child);
      child.process.once('exit', () => children.delete(child));
      return child;
    },
    async stopAll() {
      await Promise.all([...children].map((child) => child.stop()));
    },
  };
}

/** A port that was free a moment ago, chosen by the operating system. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function startChild(command: string, args: readonly string[], options: SpawnOptions): Promise<Child> {
  const child = spawn(command, args, {
    // A process group of its own: Ctrl-C then reaches only this process, which ends the others when it has reported.
    detached: process.platform !== 'win32',
    ...options,
    stdio: options.stdio ?? ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output = (output + text).slice(-MAX_OUTPUT);
    });
  }
  await once(child, 'spawn');

  const hasExited = () => child.exitCode !== null || child.signalCode !== null;
  async function waitFor<T>(what: string, limitMs: number, look: () => Promise<T | undefined>): Promise<T> {
    const until = performance.now() + limitMs;
    while (performance.now() < until) {
      const found = await look();
      if (found !== undefined) return found;
      if (hasExited()) throw new Error(`it ended before ${what}: ${telling(output)}`);
      await sleep(25);
    }
    throw new Error(`no ${what} within ${limitMs / 1000} s: ${telling(output)}`);
  }

  return {
    process: child,
    pid: child.pid!,
    ending: () =>
      hasExited() ? `ended with ${child.signalCode ?? `exit code ${child.exitCode}`}: ${telling(output)}` : undefined,
    waitForOutput: (pattern, limitMs = 20_000) =>
      waitFor('its ready line', limitMs, async () => pattern.exec(output) ?? undefined),
    async waitForUrl(url, limitMs = 20_000) {
      await waitFor(`answer at ${new URL(url).pathname}`, limitMs, async () => {
        try {
          const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
          await response.arrayBuffer();
          return response.ok || undefined;
        } catch {
          return undefined;
        }
      });
    },
    async stop() {
      if (hasExited()) return;
      const exit = once(child, 'exit');
      signalGroup(child, 'SIGTERM');
      const kill = setTimeout(() => signalGroup(child, 'SIGKILL'), 2000);
      await exit;
      clearTimeout(kill);
    },
  };
}

/** To the child and whatever it started. */
function signalGroup(child: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid!, signal);
  } catch {
    // It has ended meanwhile.
  }
}

/** The line of an output that most likely says what went wrong. */
function telling(output: string): string {
  const lines = output.trim().split('\n');
  const line = lines.find((each) => /error|cannot|failed|invalid/i.test(each)) ?? lines.at(-1)!;
  return line.trim().slice(0, 300) || '(it wrote nothing)';
}

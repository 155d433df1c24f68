/** A gateway in a process of its own, for tests of what a process does: how it stops, how much memory it takes. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expertAt } from './helpers.ts';
import { type Script, type Upstream, upstream } from './upstream.ts';

const SERVER = fileURLToPath(new URL('./drain-server.ts', import.meta.url));

/** The process. */
export interface Child {
  readonly url: string;
  readonly process: ChildProcess;
  readonly exited: Promise<unknown>;
  /** The scripted expert behind it, in this process. */
  readonly expert: Upstream;
}

/** Starts one before a scripted expert (mode `gw/first`), and ends both when `run` has ended. */
export async function withChild(
  script: Script,
  server: object,
  run: (child: Child) => Promise<void>,
  provider: object = {},
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'drain-'));
  const expert = await upstream(script);
  const file = join(folder, 'config.json');
  writeFileSync(
    file,
    JSON.stringify({
      version: 1,
      server: { port: 0, ...server },
      experts: [expertAt('e0', expert.url, {}, provider)],
      modes: { first: { policy: { use: 'static' }, composition: { use: 'single' } } },
    }),
  );
  const child = spawn(process.execPath, [SERVER, file], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  try {
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    await run({ url: line.toString('utf8').trim(), process: child, exited, expert });
  } finally {
    child.kill('SIGKILL');
    await exited;
    await expert.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

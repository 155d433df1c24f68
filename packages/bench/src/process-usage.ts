/**
 * What a process and its children cost: CPU time and resident memory from `/proc`. CPU time is far less disturbed by
 * other work on the machine than wall time, which is why the comparisons rest on it. Linux only.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** Totals over a process tree at one moment. */
export interface Usage {
  /** User and system time so far in whole ticks (10 ms), of all threads and children, also those that have ended. */
  readonly tickCpuMs: number;
  /** Exact CPU time so far of the threads that live, by `PID/TID`; empty on a kernel that does not keep it. */
  readonly threadCpuMs: ReadonlyMap<string, number>;
  readonly rssBytes: number;
}

/** One line of `/proc/PID/stat`, as far as it matters here. */
export interface ProcessStat {
  readonly pid: number;
  readonly parentPid: number;
  /** utime + stime + cutime + cstime */
  readonly cpuTicks: number;
}

/** Reads the usage of the trees under `pids`; undefined where there is no `/proc` or none of them lives. */
export type UsageReader = (pids: readonly number[]) => Usage | undefined;

/** @see proc(5): the name in parentheses may hold spaces and parentheses, so fields count from the last one. */
export function parseStat(text: string): ProcessStat {
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const field = (number: number) => Number(fields[number - 3]); // Field 3 is the first after the name.
  return {
    pid: Number.parseInt(text, 10),
    parentPid: field(4),
    cpuTicks: field(14) + field(15) + field(16) + field(17),
  };
}

/** Time on a CPU in ms, the first number of `/proc/PID/task/TID/schedstat` (there in ns); undefined if it is none. */
export function parseSchedstat(text: string): number | undefined {
  const nanoseconds = Number.parseInt(text, 10);
  return Number.isNaN(nanoseconds) ? undefined : nanoseconds / 1e6;
}

/**
 * CPU time between two readings of the same tree. The threads' own times are exact but forget a thread that has ended,
 * so they count only when every thread of `before` still lives; otherwise ticks do, to within a few of them.
 */
export function cpuMsBetween(before: Usage, after: Usage): number {
  let sum = 0;
  for (const ms of after.threadCpuMs.values()) sum += ms;
  for (const [thread, ms] of before.threadCpuMs) {
    if (!after.threadCpuMs.has(thread)) return after.tickCpuMs - before.tickCpuMs;
    sum -= ms;
  }
  return before.threadCpuMs.size === 0 ? after.tickCpuMs - before.tickCpuMs : sum;
}

/** `VmRSS` of `/proc/PID/status` in bytes; 0 for a process without memory of its own. */
export function parseRssBytes(statusText: string): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(statusText)?.[1] ?? 0) * 1024;
}

/** The processes of `stats` that are in `roots` or descend from one of them. */
export function processTree(roots: readonly number[], stats: readonly ProcessStat[]): readonly ProcessStat[] {
  const wanted = new Set(roots);
  // A child may stand before its parent in the list: repeat until nothing is added.
  for (let size = -1; size !== wanted.size; ) {
    size = wanted.size;
    for (const { pid, parentPid } of stats) if (wanted.has(parentPid)) wanted.add(pid);
  }
  return stats.filter(({ pid }) => wanted.has(pid));
}

/** A reader for this machine. */
export function createUsageReader(): UsageReader {
  if (process.platform !== 'linux') return () => undefined;
  const tickMs = 1000 / clockTicksPerSecond();
  return (pids) => {
    if (pids.length === 0) return undefined;
    const tree = processTree(pids, readStats());
    if (tree.length === 0) return undefined;
    const rssBytes = tree.reduce((sum, { pid }) => sum + parseRssBytes(readProc(`${pid}/status`) ?? ''), 0);
    if (rssBytes === 0) return undefined; // It has just ended and is only still listed.
    return {
      tickCpuMs: tree.reduce((sum, { cpuTicks }) => sum + cpuTicks, 0) * tickMs,
      threadCpuMs: readThreads(tree.map(({ pid }) => pid)),
      rssBytes,
    };
  };
}

function readStats(): readonly ProcessStat[] {
  return listProc('')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => readProc(`${pid}/stat`))
    .filter((text) => text !== undefined)
    .map(parseStat);
}

function readThreads(pids: readonly number[]): ReadonlyMap<string, number> {
  const times = new Map<string, number>();
  for (const pid of pids) {
    for (const thread of listProc(`${pid}/task`)) {
      const ms = parseSchedstat(readProc(`${pid}/task/${thread}/schedstat`) ?? '');
      if (ms !== undefined) times.set(`${pid}/${thread}`, ms);
    }
  }
  return times;
}

function listProc(path: string): readonly string[] {
  try {
    return readdirSync(`/proc/${path}`);
  } catch {
    return [];
  }
}

/** A process may end between the listing and the reading. */
function readProc(path: string): string | undefined {
  try {
    return readFileSync(`/proc/${path}`, 'utf8');
  } catch {
    return undefined;
  }
}

function clockTicksPerSecond(): number {
  try {
    return Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' })) || 100;
  } catch {
    return 100; // USER_HZ of every Linux platform that Node runs on.
  }
}

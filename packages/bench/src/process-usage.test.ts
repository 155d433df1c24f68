import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  cpuMsBetween,
  createUsageReader,
  parseRssBytes,
  parseSchedstat,
  parseStat,
  processTree,
} from './process-usage.ts';

const STAT =
  '4242 (node (a) b) S 4000 4242 4242 0 -1 4194304 5120 300 0 0 1234 56 7 8 20 0 11 0 136790 1133440000 36200 ' +
  '18446744073709551615 1 1 0 0 0 0 0 4096 134234626 0 0 0 17 1 0 0 0 0 0 0 0 0 0 0 0 0 0\n';
const STATUS = 'Name:\tnode\nVmPeak:\t 1106880 kB\nVmHWM:\t  150000 kB\nVmRSS:\t  144800 kB\nThreads:\t11\n';

test('a stat line is read past a name with spaces and parentheses', () => {
  assert.deepEqual(parseStat(STAT), { pid: 4242, parentPid: 4000, cpuTicks: 1234 + 56 + 7 + 8 });
});

test('resident memory comes in bytes; a kernel thread has none', () => {
  assert.equal(parseRssBytes(STATUS), 144_800 * 1024);
  assert.equal(parseRssBytes('Name:\tkthreadd\nThreads:\t1\n'), 0);
});

test('the time of a thread comes in milliseconds, or not at all', () => {
  assert.equal(parseSchedstat('1234567890 5555 77\n'), 1234.56789);
  assert.equal(parseSchedstat(''), undefined);
});

test('CPU time between readings is exact while all threads live, and falls back to ticks when one has ended', () => {
  const usage = (tickCpuMs: number, threads: Record<string, number>) => ({
    tickCpuMs,
    threadCpuMs: new Map(Object.entries(threads)),
    rssBytes: 1,
  });
  const before = usage(100, { '1/1': 90, '1/2': 14.5 });
  assert.equal(cpuMsBetween(before, usage(110, { '1/1': 92, '1/2': 16, '1/3': 0.25 })), 3.75);
  assert.equal(cpuMsBetween(before, usage(110, { '1/1': 92 })), 10);
  assert.equal(cpuMsBetween(usage(100, {}), usage(120, {})), 20);
});

test('a tree holds children of children whatever the order, and no strangers', () => {
  const stats = [
    { pid: 30, parentPid: 20, cpuTicks: 3 },
    { pid: 20, parentPid: 10, cpuTicks: 2 },
    { pid: 10, parentPid: 1, cpuTicks: 1 },
    { pid: 40, parentPid: 1, cpuTicks: 9 },
  ];
  assert.deepEqual(
    processTree([10], stats).map(({ pid }) => pid),
    [30, 20, 10],
  );
  assert.deepEqual(processTree([77], stats), []);
});

test('this process can be read where there is /proc', { skip: process.platform !== 'linux' && 'no /proc' }, () => {
  const usage = createUsageReader()([process.pid])!;
  assert.ok(usage.rssBytes > 10e6);
  assert.ok(usage.tickCpuMs > 0);
  assert.equal(createUsageReader()([]), undefined);
});

/** The facts without which a measured number means nothing. */
import { cpus, loadavg, totalmem } from 'node:os';

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGB: number;
  readonly platform: string;
  readonly node: string;
}

export function readMachine(): Machine {
  const all = cpus();
  return {
    cpu: all[0]?.model.trim() || 'unknown',
    cores: all.length,
    memoryGB: Math.round((totalmem() / 1024 ** 3) * 10) / 10,
    platform: `${process.platform} ${process.arch}`,
    node: process.version,
  };
}

/** Load average over 1, 5 and 15 minutes: how busy the machine was with whatever ran on it. */
export function readLoadAverage(): readonly number[] {
  return loadavg().map((value) => Math.round(value * 100) / 100);
}

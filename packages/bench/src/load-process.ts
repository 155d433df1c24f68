/** The load generator as a process of its own; `generator.ts` starts it and gives it orders. */
import { nowMs } from './clock.ts';
import type { LoadOrder, LoadReply } from './generator.ts';
import { createClient } from './http-client.ts';
import { closedLoop, openLoop } from './load.ts';
import { startPacer } from './pacer.ts';

/** Opened before an open loop starts; more are opened when they are needed, and their time counts. */
const OPEN_LOOP_WARM_CONNECTIONS = 8;
/** More than this many at a time wait in the generator, where their time counts as well. */
const OPEN_LOOP_MAX_CONNECTIONS = 128;

const pacer = await startPacer();

async function run(order: LoadOrder): Promise<LoadReply> {
  const { pattern, requests, limitMs } = order;
  const isOpen = pattern.loop === 'open';
  const client = createClient({ ...order, maxConnections: isOpen ? OPEN_LOOP_MAX_CONNECTIONS : pattern.connections });
  try {
    await client.warm(isOpen ? OPEN_LOOP_WARM_CONNECTIONS : pattern.connections);
    const options = { requests, limitMs, send: client.send, clock: nowMs };
    const before = process.cpuUsage();
    const result = isOpen
      ? await openLoop({ ...options, ratePerSecond: pattern.ratePerSecond, pacer })
      : await closedLoop({ ...options, connections: pattern.connections });
    const { user, system } = process.cpuUsage(before);
    return { id: order.id, result, generatorCpuMs: (user + system) / 1000 };
  } catch (error) {
    return { id: order.id, error: (error as Error).message };
  } finally {
    client.close();
  }
}

process.on('message', async (order: LoadOrder) => process.send!(await run(order)));
process.on('disconnect', () => process.exit(0));
process.send!('ready');

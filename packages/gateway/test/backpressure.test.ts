/** A client that reads slowly holds the upstream back: the gateway keeps no more of an answer than its buffers. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { request } from 'undici';
import { withChild } from './child-gateway.ts';
import { chatBody, pause, until } from './helpers.ts';
import type { Upstream } from './upstream.ts';

const MEGABYTE = 1_048_576;

/** Resident memory of a process, bytes; undefined where the system does not tell. */
function residentBytes(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * 4_096;
  } catch {
    return undefined;
  }
}

/** Waits until the expert could send nothing for a while: every buffer on the way is full. */
async function stuck(expert: Upstream): Promise<void> {
  let seen = -1;
  let same = 0;
  await until(async () => {
    await pause(10);
    same = expert.bytesSent === seen ? same + 1 : 0;
    seen = expert.bytesSent;
    return same >= 10;
  }, 'the upstream is held back');
}

test('fifty megabytes to a client that stops again and again', async () => {
  await withChild(
    'flood',
    { clientStallMs: 30_000 },
    async ({ url, process: child, expert }) => {
      const { body } = await request(`${url}/v1/chat/completions`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify(chatBody('gw/first', { stream: true })),
        highWaterMark: 65_536,
      });
      let read = 0;
      let goal = 0;
      let highest = 0;
      let furthest = 0;
      for await (const part of body) {
        read += (part as Buffer).length;
        if (read < goal) continue;
        goal = read + 5 * MEGABYTE;
        await stuck(expert);
        furthest = Math.max(furthest, expert.bytesSent - read);
        highest = Math.max(highest, residentBytes(child.pid!) ?? 0);
        if (read > 50 * MEGABYTE) break;
      }
      // What is on its way: buffers of two connections in the system, and of the gateway.
      assert.ok(furthest < 16 * MEGABYTE, `${furthest} bytes were sent and not read`);
      assert.ok(highest < 220 * MEGABYTE, `${highest} bytes resident`);
      await until(() => expert.aborted === 1, 'the upstream is let go when the client leaves');
    },
    { maxAnswerBytes: 128 * MEGABYTE },
  );
});

/** Opens idle connections from a process of its own, so that both ends do not share one limit of open files. */
import { connect, type Socket } from 'node:net';

const [port, count] = process.argv.slice(2).map(Number) as [number, number];
const sockets: Socket[] = [];
let failure: string | undefined;

function open(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    sockets.push(socket);
    socket.once('connect', resolve);
    socket.on('error', (error: Error & { code?: string }) => {
      failure ??= error.code ?? error.message;
      resolve();
    });
  });
}

// In batches: the kernel's queue of connections that nobody has accepted yet is short.
for (let opened = 0; opened < count && failure === undefined; opened += 250) {
  await Promise.all(Array.from({ length: Math.min(250, count - opened) }, open));
}
process.send?.({ open: sockets.filter(({ readyState }) => readyState === 'open').length, failure });
process.on('message', () => {
  for (const socket of sockets) socket.destroy();
  process.disconnect();
});

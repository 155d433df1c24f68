/** Preloaded into a peer that would listen on all interfaces: without a host it then listens on loopback. */
import { Server } from 'node:net';

const listen = Server.prototype.listen as (this: Server, ...args: unknown[]) => Server;

Server.prototype.listen = function (this: Server, ...args: unknown[]): Server {
  const [port, host, ...rest] = args;
  return listen.apply(this, typeof port === 'number' && host === undefined ? [port, '127.0.0.1', ...rest] : args);
} as Server['listen'];

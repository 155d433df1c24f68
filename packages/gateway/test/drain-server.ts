/** A gateway in a process of its own, for tests of how it stops: `node drain-server.ts CONFIG.json`. */
import { readFileSync } from 'node:fs';
import { checkConfig } from '../src/config/config.ts';
import { createGateway } from '../src/gateway.ts';
import { serve } from '../src/server.ts';
import { memory } from '../src/stores/memory.ts';

const config = checkConfig(JSON.parse(readFileSync(process.argv[2]!, 'utf8')));
const server = await serve(createGateway({ config, store: memory(), env: {} }), {});
process.on('SIGTERM', () => {
  void server.close(undefined, config.server.drainMs).then(() => process.exit(0));
});
process.stdout.write(`${server.url}\n`);

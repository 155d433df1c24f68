/** A gateway with a journal, in a process of its own that a test can kill: `journal-server.ts <folder> <upstream>`. */
import { journal } from '../src/stores/journal.ts';
import { expertAt, pool, startGateway } from './helpers.ts';

const [directory, upstreamUrl] = process.argv.slice(2) as [string, string];
const { url } = await startGateway(pool(expertAt('one', upstreamUrl)), {
  store: journal({ directory, segmentBytes: 16_384 }),
});
process.send?.({ url });

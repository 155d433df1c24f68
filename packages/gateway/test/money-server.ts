/** A gateway with a journal, a ledger and a budget, in a process of its own that is there to be killed: `money-server.ts <folder> <expert> <limited|unlimited>`. */
import { join } from 'node:path';
import { openBook } from '../src/money/book.ts';
import { journal } from '../src/stores/journal.ts';
import { expertAt, pool, startGateway } from './helpers.ts';

const [directory, expertUrl, limited] = process.argv.slice(2) as [string, string, string];
const experts = ['one', 'two'].map((id) => expertAt(id, expertUrl));
const { url } = await startGateway(
  {
    ...pool(...experts),
    timeouts: { connectMs: 2_000, firstByteMs: 5_000, idleMs: 5_000 },
    ...(limited === 'limited'
      ? {
          budgets: { global: { budgets: [{ usd: 1_000, window: 'total' }] }, keys: { default: { concurrent: 1_000 } } },
        }
      : {}),
  },
  { store: journal({ directory, segmentBytes: 262_144 }), book: openBook(join(directory, 'ledger.sqlite')) },
);
process.send?.({ url });

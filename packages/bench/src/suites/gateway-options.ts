/** Command line of the gateway comparison. */
import { parseArgs } from 'node:util';

export const HELP = `What a gateway costs: Gatewright beside other gateways, all in one run on one mock upstream.

  npm run bench:gateway -- [options]            (about ten minutes; --quick under one)

  --quick                a small run, under a minute once everything is installed; good for a first look only
  --requests N           requests of an open-loop phase; a closed-loop phase sends 4 N, at
                         least 400                                                      (600; quick 60)
  --rates A,B,...        arrivals per second of the open-loop phases                    (50,100,200; quick 200)
  --rounds N             rounds in which the targets take turns; 0 = no comparison                        (3)
  --without NAME         leave a target out: direct, gatewright, nginx or portkey; may be repeated
  --chunk-delay MS       pause of the mock upstream between the chunks of a stream                        (0)
  --chunks-per-write N   chunks that the mock upstream sends at once; providers send each as it comes     (1)
  --soak N               afterwards send N JSON requests through Gatewright and watch its memory    (0 = off)
  --json FILE            write everything that was measured to FILE
  --help                 this text

Ctrl-C ends the run early and reports what was measured by then. All traffic stays on 127.0.0.1. Portkey is installed
from npm into .bench/portkey on first use; nginx is used if it is on the PATH. A target that cannot run is left out.
`;

/** What a run is to do. */
export interface GatewayOptions {
  readonly isQuick: boolean;
  /** Of one open-loop phase. */
  readonly requests: number;
  readonly ratesPerSecond: readonly number[];
  readonly rounds: number;
  readonly without: readonly string[];
  readonly chunkDelayMs: number;
  readonly chunksPerWrite: number;
  /** 0 = no soak. */
  readonly soakRequests: number;
  readonly jsonFile: string | undefined;
}

/**
 * @param targetNames names that `--without` may use
 * @returns 'help' when that is all that was asked for
 * @throws {Error} with a message for the user
 */
export function parseGatewayOptions(args: readonly string[], targetNames: readonly string[]): GatewayOptions | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: {
      help: { type: 'boolean', short: 'h' },
      quick: { type: 'boolean', default: false },
      requests: { type: 'string' },
      rates: { type: 'string' },
      rounds: { type: 'string', default: '3' },
      without: { type: 'string', multiple: true, default: [] },
      'chunk-delay': { type: 'string', default: '0' },
      'chunks-per-write': { type: 'string', default: '1' },
      soak: { type: 'string', default: '0' },
      json: { type: 'string' },
    },
  });
  if (values.help) return 'help';
  const isQuick = values.quick;
  const without = values.without.flatMap((names) => names.split(','));
  const unknown = without.find((name) => !targetNames.includes(name));
  if (unknown !== undefined) {
    throw new Error(`--without ${unknown}: there is no such target. Known: ${targetNames.join(', ')}.`);
  }
  return {
    isQuick,
    requests: wholeNumber('--requests', values.requests ?? (isQuick ? '60' : '600'), 1),
    ratesPerSecond: (values.rates ?? (isQuick ? '200' : '50,100,200'))
      .split(',')
      .map((rate) => wholeNumber('--rates', rate, 1)),
    rounds: wholeNumber('--rounds', values.rounds, 0),
    without,
    chunkDelayMs: wholeNumber('--chunk-delay', values['chunk-delay'], 0),
    chunksPerWrite: wholeNumber('--chunks-per-write', values['chunks-per-write'], 1),
    soakRequests: wholeNumber('--soak', values.soak, 0),
    jsonFile: values.json,
  };
}

function wholeNumber(option: string, text: string, least: number): number {
  const value = Number(text);
  if (text.trim() !== '' && Number.isSafeInteger(value) && value >= least) return value;
  throw new Error(`${option} takes a whole number of at least ${least}, not "${text}".`);
}

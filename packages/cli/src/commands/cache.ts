import { readFileSync, writeFileSync } from 'node:fs';
import { builtInPairs, type LabelledPair, MIN_SIMILARITY, measureCache } from '@gatewright/gateway';
import { GatewrightError } from '@gatewright/kernel';
import { type Command, EXIT, numberFlag, parse, percent, table } from '../command.ts';

/** `gatewright cache`: how often the semantic cache would give a wrong answer. */
export const cache: Command = {
  name: 'cache',
  summary: 'Measure how often the semantic cache would give a wrong answer.',
  help: `Usage: gatewright cache [--pairs FILE] [--only-pairs] [--out FILE] [--min-similarity N] [--max-rate N] [--json]

Asks the verifier of the semantic cache about labelled pairs of texts and prints how many pairs that ask different
things it takes for the same (false hits), with a bound at 95 % confidence, and how many of those that ask the same.
The semantic cache does not start without such a measurement: name the file under cache.semantic.measurement.

  --pairs FILE        your own pairs, one JSON object a line: {"a": "...", "b": "...", "same": true or false, "kind": "..."}
  --only-pairs        leave out the built-in pairs (antonyms, negations, numbers, names, units, directions, times ...)
  --out FILE          write the measurement
  --min-similarity N  share of words in common that a hit must have, 0..1 (default ${MIN_SIMILARITY}), as cache.semantic.minSimilarity
  --max-rate N        exit with 1 if the bound is above it (default 0.01)
  --json              the measurement as JSON

Example: gatewright cache --pairs pairs.jsonl --out cache-measurement.json`,

  async run(argv, io) {
    const { values } = parse('cache', argv, {
      pairs: { type: 'string' },
      'only-pairs': { type: 'boolean', default: false },
      out: { type: 'string' },
      'min-similarity': { type: 'string' },
      'max-rate': { type: 'string' },
      json: { type: 'boolean', default: false },
    });
    const minSimilarity = numberFlag('cache', 'min-similarity', values['min-similarity'], MIN_SIMILARITY, {
      min: 0,
      max: 1,
    });
    const maxRate = numberFlag('cache', 'max-rate', values['max-rate'], 0.01, { min: 0, max: 1 });
    const own = values.pairs === undefined ? [] : readPairs(values.pairs);
    const pairs = values['only-pairs'] ? own : [...builtInPairs(), ...own];
    const sources = [
      ...(values['only-pairs'] ? [] : ['built-in']),
      ...(values.pairs === undefined ? [] : [values.pairs]),
    ];
    const { falseHits, ...measurement } = measureCache(pairs, minSimilarity, sources);
    if (values.out !== undefined) writeFileSync(values.out, `${JSON.stringify(measurement, null, 2)}\n`);
    const { different, same, falseHitUpper, kinds } = measurement;
    if (values.json) io.print(JSON.stringify(measurement));
    else {
      const rows = Object.entries(kinds).map(([kind, { pairs: count, hits }]) => [
        kind,
        count,
        hits,
        percent(hits / count),
      ]);
      for (const line of table(['kind', 'pairs', 'hits', 'rate'], rows)) io.print(line);
      io.print('');
      io.print(
        `False hits: ${different.hits} of ${different.pairs} (${percent(different.hits / different.pairs)}); the rate is below ${percent(falseHitUpper)} with 95 % confidence.`,
      );
      io.print(`Hits: ${same.hits} of ${same.pairs} pairs that ask the same (${percent(same.hits / same.pairs)}).`);
      for (const { a, b, kind } of falseHits)
        io.print(`  ${kind}: ${JSON.stringify(a)} was taken for ${JSON.stringify(b)}`);
      if (values.out !== undefined) io.print(`Written to ${values.out}.`);
    }
    return falseHitUpper <= maxRate ? EXIT.ok : EXIT.negative;
  },
};

function readPairs(path: string): LabelledPair[] {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new GatewrightError('GW_DATA_FOLDER', `${path} cannot be read.`, { fix: 'Check the path.', cause });
  }
  return text.split('\n').flatMap((line, index) => {
    if (line.trim() === '') return [];
    let row: Partial<LabelledPair> | null;
    try {
      row = JSON.parse(line) as Partial<LabelledPair> | null;
    } catch {
      row = null;
    }
    if (typeof row?.a !== 'string' || typeof row.b !== 'string' || typeof row.same !== 'boolean')
      throw new GatewrightError('GW_DATA_ROW', `${path}, line ${index + 1}: not a labelled pair.`, {
        fix: 'Write {"a": "...", "b": "...", "same": true or false}.',
        path,
      });
    return [{ a: row.a, b: row.b, same: row.same, kind: typeof row.kind === 'string' ? row.kind : 'own' }];
  });
}

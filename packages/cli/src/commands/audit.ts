import { join } from 'node:path';
import { AUDIT_FILE, openAudit, verifyAudit } from '@gatewright/gateway';
import { type Command, type CommandIo, EXIT, numberFlag, parse, table, usage } from '../command.ts';
import { loadConfig } from '../configuration.ts';

/** `gatewright audit`: what managers did. */
export const audit: Command = {
  name: 'audit',
  summary: 'List and verify what managers did: keys, reloads, experts.',
  help: `Usage: gatewright audit list   [--limit N]   [--store FOLDER] [--config FILE] [--json]
       gatewright audit verify [--head HASH] [--store FOLDER] [--config FILE] [--json]

Works on the log itself, whether a gateway has it open or not.

  list     the newest acts, the newest first
  verify   checks the hash chain over every byte; with --head also that it ends in that record

A chain cannot show that its own end was cut off: keep the hash that verify prints elsewhere, and give it with --head.
Exit code 0 when all is well, 1 when a fault was found.

Example: gatewright audit verify`,

  async run(argv, io) {
    const [verb, ...rest] = argv;
    if (verb === 'list') return list(rest, io);
    if (verb === 'verify') return verify(rest, io);
    throw usage('audit', verb === undefined ? 'Say what to do: list or verify.' : `There is no "audit ${verb}".`);
  },
};

const PLACE = {
  store: { type: 'string' },
  config: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

function folder(values: { store?: string | undefined; config?: string | undefined }): string {
  return values.store ?? loadConfig(values.config).config.storage.directory;
}

function list(argv: readonly string[], io: CommandIo): number {
  const { values } = parse('audit', argv, { ...PLACE, limit: { type: 'string' } });
  const limit = numberFlag('audit', 'limit', values.limit, 20, { min: 1, max: 1_000, whole: true });
  // Reading takes no turn: a line that is being written has no end yet, and is left out.
  const records = openAudit(join(folder(values), AUDIT_FILE), (work) => work()).list({ limit });
  if (values.json) for (const record of records) io.print(JSON.stringify(record));
  else
    for (const line of table(
      ['', 'time', 'who', 'from', 'act', 'to', 'result'],
      records.map(({ seq, at, actor, action, target, result, code, count }) => [
        seq,
        at.slice(0, 19),
        `${actor.name} (${actor.key})`,
        actor.from,
        action,
        target ?? '-',
        `${result}${code === undefined ? '' : ` ${code}`}${count === undefined ? '' : ` x${count}`}`,
      ]),
    ))
      io.print(line);
  return EXIT.ok;
}

async function verify(argv: readonly string[], io: CommandIo): Promise<number> {
  const { values } = parse('audit', argv, { ...PLACE, head: { type: 'string' } });
  const report = await verifyAudit(join(folder(values), AUDIT_FILE));
  const isCut = values.head !== undefined && values.head !== report.head;
  const isSound = report.faults.length === 0 && !isCut;
  if (values.json) io.print(JSON.stringify({ ...report, isSound, ...(isCut ? { expectedHead: values.head } : {}) }));
  else {
    for (const { line, kind, detail } of report.faults) io.print(`line ${line}: ${kind}: ${detail}`);
    if (isCut) io.print(`the log does not end in ${values.head}`);
    if (report.tornBytes > 0)
      io.print(`${report.tornBytes} bytes behind the last record were never acknowledged; the next act cuts them off.`);
    io.print(
      `${report.records} records, ${isSound ? 'the chain holds' : 'THE CHAIN DOES NOT HOLD'}. Head: ${report.head}`,
    );
  }
  return isSound ? EXIT.ok : EXIT.negative;
}

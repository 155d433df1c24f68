import { userInfo } from 'node:os';
import {
  type Administration,
  administration,
  checkKeyFields,
  type Identity,
  type KeyRecord,
  openIdentity,
} from '@gatewright/gateway';
import { type Command, type CommandIo, EXIT, parse, table, usage } from '../command.ts';
import { loadConfig } from '../configuration.ts';

/** `gatewright keys`: who may use the gateway. */
export const keys: Command = {
  name: 'keys',
  summary: 'Create, list, change, rotate and revoke virtual keys.',
  help: `Usage: gatewright keys create --name NAME [--role ROLE]... [--scope SCOPE]... [--model PATTERN]...
                              [--project NAME] [--user NAME] [--expires TIME] [--limits JSON] [--requires JSON]
                              [--note KEY=TEXT]...
       gatewright keys list
       gatewright keys show   ID
       gatewright keys change ID  (with the options of create)
       gatewright keys rotate ID [--overlap DURATION]
       gatewright keys revoke ID
       gatewright keys delete ID
       each with [--store FOLDER] [--config FILE] [--json]

Works on the storage folder itself, whether a gateway has it open or not: what is done here holds from the next
request on. Every act is written to the audit log of the folder.

  --role ROLE        use (default), verifier (its feedback is taken as right), admin (may manage); may be repeated
  --scope SCOPE      chat, responses, messages, embeddings, route, feedback, traces, usage, status, models; default all
  --model PATTERN    mode or expert it may ask for, * for any characters, e.g. "gw/*"; default all
  --user NAME        the user that the key stands for; it then speaks for nobody else
  --expires TIME     2026-12-31T23:59:59Z, or a duration from now: 30d, 12h, 90m
  --limits JSON      {"requestsPerMinute":60,"tokensPerMinute":1e5,"concurrent":4,"budgets":[{"usd":5,"window":"day"}]}
  --requires JSON    what every request of it demands: {"residency":["eu"],"privacy":"confidential"}; null for nothing
  --overlap DURATION how long the key before still works, 0 to 30d; default 1h

A key is printed once, when it is made. The folder keeps a hash of it: nobody can print it again.
With no key the gateway serves this machine alone and asks for none; the first key closes it.

Example: gatewright keys create --name billing-service --scope chat --model "gw/*" --expires 90d`,

  async run(argv, io) {
    const [verb, ...rest] = argv;
    const run = verb === undefined || !Object.hasOwn(VERBS, verb) ? undefined : VERBS[verb];
    if (run === undefined)
      throw usage(
        'keys',
        verb === undefined
          ? `Say what to do: ${Object.keys(VERBS).join(', ')}.`
          : `There is no "keys ${verb}": ${Object.keys(VERBS).join(', ')}.`,
      );
    return run(rest, io);
  },
};

type Run = (argv: readonly string[], io: CommandIo) => number;

const PLACE = {
  store: { type: 'string' },
  config: { type: 'string' },
  json: { type: 'boolean', default: false },
} as const;

const FIELDS = {
  name: { type: 'string' },
  role: { type: 'string', multiple: true },
  scope: { type: 'string', multiple: true },
  model: { type: 'string', multiple: true },
  project: { type: 'string' },
  user: { type: 'string' },
  expires: { type: 'string' },
  limits: { type: 'string' },
  requires: { type: 'string' },
  note: { type: 'string', multiple: true },
} as const;

const VERBS: Readonly<Record<string, Run>> = {
  create(argv, io) {
    const { values } = parse('keys', argv, { ...PLACE, ...FIELDS });
    const fields = fieldsOf(values);
    return within(values, ({ acts }) => {
      const { record, key } = acts.createKey(fields);
      return showNew(record, key, values.json, io);
    });
  },
  list(argv, io) {
    const { values } = parse('keys', argv, PLACE);
    return within(values, ({ identity }) => {
      const records = identity.keys.list();
      if (values.json) for (const record of records) io.print(JSON.stringify(record));
      else if (records.length === 0) io.note('There are no keys. Create one: gatewright keys create --name NAME');
      else
        for (const line of table(
          ['id', 'name', 'state', 'roles', 'project', 'user', 'created', 'expires', 'last used'],
          records.map((record) => [
            record.id,
            record.name,
            record.state,
            record.roles.join(','),
            record.project ?? '-',
            record.user ?? '-',
            day(record.createdAt),
            day(record.expiresAt),
            record.lastUsedAt?.slice(0, 19) ?? 'never',
          ]),
        ))
          io.print(line);
      return EXIT.ok;
    });
  },
  show(argv, io) {
    const { values, positionals } = parse('keys', argv, PLACE, { min: 1, max: 1 });
    return within(values, ({ identity }) => show(identity.keys.show(positionals[0]!), values.json, io));
  },
  change(argv, io) {
    const { values, positionals } = parse('keys', argv, { ...PLACE, ...FIELDS }, { min: 1, max: 1 });
    const fields = fieldsOf(values);
    return within(values, ({ acts }) => show(acts.changeKey(positionals[0]!, fields), values.json, io));
  },
  rotate(argv, io) {
    const { values, positionals } = parse('keys', argv, { ...PLACE, overlap: { type: 'string' } }, { min: 1, max: 1 });
    const overlapMs = values.overlap === undefined ? 3_600_000 : durationMs('overlap', values.overlap);
    return within(values, ({ acts }) => {
      const { record, key } = acts.rotateKey(positionals[0]!, overlapMs);
      return showNew(record, key, values.json, io);
    });
  },
  revoke(argv, io) {
    const { values, positionals } = parse('keys', argv, PLACE, { min: 1, max: 1 });
    return within(values, ({ acts }) => show(acts.revokeKey(positionals[0]!), values.json, io));
  },
  delete(argv, io) {
    const { values, positionals } = parse('keys', argv, PLACE, { min: 1, max: 1 });
    return within(values, ({ acts, identity }) => {
      const record = acts.deleteKey(positionals[0]!);
      if (values.json) io.print(JSON.stringify({ id: record.id, deleted: true }));
      else io.print(`Deleted ${record.id} (${record.name}): from now on it is unknown.`);
      if (!identity.keys.hasAny())
        io.note('That was the last key: on loopback, and without a key of the environment, the gateway is open again.');
      return EXIT.ok;
    });
  },
};

interface Desk {
  readonly identity: Identity;
  readonly acts: Administration;
}

function within(
  { store, config }: { store?: string | undefined; config?: string | undefined },
  work: (desk: Desk) => number,
): number {
  const identity = openIdentity(store ?? loadConfig(config).config.storage.directory);
  try {
    return work({ identity, acts: administration(identity, { key: 'cli', name: whoAmI(), from: 'local' }) });
  } finally {
    identity.close();
  }
}

/** Of a process without an entry among the users there is a number only. */
function whoAmI(): string {
  try {
    return userInfo().username;
  } catch {
    return `uid ${process.getuid?.() ?? 'unknown'}`;
  }
}

function fieldsOf(values: {
  readonly name?: string | undefined;
  readonly role?: readonly string[] | undefined;
  readonly scope?: readonly string[] | undefined;
  readonly model?: readonly string[] | undefined;
  readonly project?: string | undefined;
  readonly user?: string | undefined;
  readonly expires?: string | undefined;
  readonly limits?: string | undefined;
  readonly requires?: string | undefined;
  readonly note?: readonly string[] | undefined;
}) {
  const { name, role: roles, scope: scopes, model: models, project, user, expires, limits, requires, note } = values;
  const given = {
    name,
    roles,
    scopes,
    models,
    project,
    user,
    expiresAt: expires === undefined ? undefined : timeOf(expires),
    limits: limits === undefined ? undefined : jsonOf('limits', limits),
    requires: requires === undefined ? undefined : jsonOf('requires', requires),
    metadata: note === undefined ? undefined : Object.fromEntries(note.map(pairOf)),
  };
  return checkKeyFields(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)));
}

const UNIT_MS: Readonly<Record<string, number>> = { d: 86_400_000, h: 3_600_000, m: 60_000, s: 1_000 };

function durationMs(option: string, text: string): number {
  const [, count, unit] = /^(\d{1,6})([dhms])$/.exec(text) ?? [];
  if (text === '0') return 0;
  if (count === undefined)
    throw usage('keys', `--${option} is ${JSON.stringify(text)}, not a duration like 30d or 12h.`);
  return Number(count) * UNIT_MS[unit!]!;
}

function timeOf(text: string): string {
  return /^\d{1,6}[dhms]$/.test(text) ? new Date(Date.now() + durationMs('expires', text)).toISOString() : text;
}

function jsonOf(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw usage('keys', `--${option} is not JSON: ${JSON.stringify(text.slice(0, 80))}.`);
  }
}

function pairOf(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at < 1) throw usage('keys', `--note is ${JSON.stringify(text.slice(0, 80))}, not KEY=TEXT.`);
  return [text.slice(0, at), text.slice(at + 1)];
}

function showNew(record: KeyRecord, key: string, asJson: boolean, io: CommandIo): number {
  if (asJson) io.print(JSON.stringify({ ...record, key }));
  else {
    io.print(key);
    io.note(
      `This is the key of ${record.id} (${record.name}). It is shown this once and cannot be shown again: keep it now.`,
    );
    if (record.overlapUntil !== null) io.note(`The key before works until ${record.overlapUntil}.`);
  }
  return EXIT.ok;
}

function show(record: KeyRecord, asJson: boolean, io: CommandIo): number {
  if (asJson) io.print(JSON.stringify(record));
  else {
    for (const line of table(
      ['field', 'value'],
      Object.entries(record).map(([field, value]) => [
        field,
        typeof value === 'string' ? value : JSON.stringify(value),
      ]),
    ).slice(1))
      io.print(line);
    io.print('key            not kept: it was shown when it was made');
  }
  return EXIT.ok;
}

function day(time: string | null): string {
  return time?.slice(0, 10) ?? 'never';
}

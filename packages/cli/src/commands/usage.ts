import { existsSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Grouping,
  readUsage,
  shownUsage,
  type UsageRow,
  usageCsv,
  usageQuery,
  userDigest,
} from '@gatewright/gateway';
import { GatewrightError } from '@gatewright/kernel';
import { getJson, requestUrl } from '../client.ts';
import { type Command, type CommandIo, EXIT, parse, table, usd, usage as wrongUsage } from '../command.ts';
import { loadConfig } from '../configuration.ts';

/** Options that are handed on as they are. */
const COLUMNS = ['key', 'user', 'project', 'expert', 'mode', 'dialect', 'kind', 'status'] as const;

/** `gatewright usage`: what was spent. */
export const usage: Command = {
  name: 'usage',
  summary: 'Sum up requests, tokens and cost by key, project, expert, day, ...',
  help: `Usage: gatewright usage [--by GROUP,...] [--from TIME] [--to TIME] [--key ID] [--project NAME] ...
                        [--store FOLDER | --url URL] [--csv | --json]

Sums what every call used, retries and judges among them, out of the ledger in the storage folder; with --url,
as a running gateway tells it to the key in GATEWRIGHT_API_KEY (its own calls; an admin's key sees all).

  --by GROUP,...   key, user, project, expert, mode, dialect, kind, status, day, hour; up to four (default: expert)
  --from, --to     2026-11-22 or 2026-11-22T05:00:00Z, UTC (default: the last 30 days); whole hours
  --key, --user, --project, --expert, --mode, --dialect, --kind, --status   only these, separated by commas
  --store FOLDER   storage folder (default: of the configuration)
  --config FILE    configuration (default gatewright.yaml, else the sandbox)
  --url URL        ask a running gateway instead
  --csv, --json    as CSV, or one JSON object

Example: gatewright usage --by project,day --from 2026-11-01`,

  async run(argv, io) {
    const { values } = parse('usage', argv, {
      by: { type: 'string', default: 'expert' },
      from: { type: 'string' },
      to: { type: 'string' },
      store: { type: 'string' },
      config: { type: 'string' },
      url: { type: 'string' },
      csv: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      ...COLUMN_OPTIONS,
    });
    if (values.csv && values.json) throw wrongUsage('usage', '--csv and --json exclude each other.');
    const parameters = new URLSearchParams({ group_by: values.by });
    for (const name of ['from', 'to', ...COLUMNS] as const) {
      const value = values[name];
      if (typeof value === 'string') parameters.set(name === 'key' ? 'key_id' : name, value);
    }
    const query = usageQuery(parameters, Date.now(), userDigest);
    const rows =
      values.url === undefined
        ? readUsage(ledgerFile(values.store, values.config), query)
        : await rowsFrom(requestUrl(values.url, io.env), parameters, io);
    if (values.csv) io.print(usageCsv(rows, query.groupBy).trimEnd());
    else if (values.json)
      io.print(
        JSON.stringify({
          from: new Date(query.fromMs).toISOString(),
          to: new Date(query.toMs).toISOString(),
          groupBy: query.groupBy,
          rows: rows.map(shownUsage),
        }),
      );
    else for (const line of shownTable(rows, query.groupBy)) io.print(line);
    return EXIT.ok;
  },
};

const COLUMN_OPTIONS = {
  key: { type: 'string' },
  user: { type: 'string' },
  project: { type: 'string' },
  expert: { type: 'string' },
  mode: { type: 'string' },
  dialect: { type: 'string' },
  kind: { type: 'string' },
  status: { type: 'string' },
} as const;

function ledgerFile(store: string | undefined, config: string | undefined): string {
  const directory = store ?? loadConfig(config).config.storage.directory;
  const path = join(directory, 'ledger.sqlite');
  if (existsSync(path)) return path;
  throw new GatewrightError('GW_STORE_OPEN', `There is no ledger in ${directory}.`, {
    fix: 'A gateway makes one at its first start; name its folder with --store.',
  });
}

async function rowsFrom(url: string, parameters: URLSearchParams, io: CommandIo): Promise<UsageRow[]> {
  const { data, group_by: groupBy } = (await getJson(`${url}/v1/usage?${parameters}`, io.env)) as {
    data: Record<string, number & (string | null)>[];
    group_by: Grouping[];
  };
  return data.map((row) => ({
    group: Object.fromEntries(groupBy.map((name) => [name, row[name] ?? null])),
    requests: row['requests']!,
    calls: row['calls']!,
    promptTokens: row['prompt_tokens']!,
    cachedTokens: row['cached_tokens']!,
    completionTokens: row['completion_tokens']!,
    reasoningTokens: row['reasoning_tokens']!,
    costUsd: row['cost_usd']!,
    savedUsd: row['saved_usd']!,
    lostCalls: row['lost_calls']!,
  }));
}

function shownTable(rows: readonly UsageRow[], groupBy: readonly string[]): string[] {
  if (rows.length === 0) return ['Nothing was used in that time.'];
  const total = (of: (row: UsageRow) => number): number => rows.reduce((sum, row) => sum + of(row), 0);
  const cells = (row: UsageRow): (string | number)[] => [
    row.requests,
    row.calls,
    row.promptTokens,
    row.cachedTokens,
    row.completionTokens,
    row.reasoningTokens,
    usd(row.costUsd),
    usd(row.savedUsd),
    row.lostCalls,
  ];
  const all: UsageRow = {
    group: {},
    requests: total((row) => row.requests),
    calls: total((row) => row.calls),
    promptTokens: total((row) => row.promptTokens),
    cachedTokens: total((row) => row.cachedTokens),
    completionTokens: total((row) => row.completionTokens),
    reasoningTokens: total((row) => row.reasoningTokens),
    costUsd: total((row) => row.costUsd),
    savedUsd: total((row) => row.savedUsd),
    lostCalls: total((row) => row.lostCalls),
  };
  const head = [
    ...groupBy,
    'requests',
    'calls',
    'prompt',
    'cached',
    'completion',
    'reasoning',
    'cost',
    'saved',
    'lost',
  ];
  const body = rows.map((row) => [
    ...groupBy.map((name) => row.group[name as keyof UsageRow['group']] ?? '(none)'),
    ...cells(row),
  ]);
  const sum = rows.length === 1 ? [] : [[...groupBy.map((_, place) => (place === 0 ? 'all' : '')), ...cells(all)]];
  return table(head, [...body, ...sum]);
}

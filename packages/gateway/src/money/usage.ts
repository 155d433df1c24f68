/** What somebody asks of the usage, out of a query string, and how it is told: as JSON or CSV. */
import { GatewrightError } from '@gatewright/kernel';
import { GROUPINGS, type Grouping, type UsageQuery, type UsageRow } from './book.ts';

const FILTERS = ['key', 'user', 'project', 'expert', 'mode', 'dialect', 'kind', 'status'] as const;
const PARAMETERS = ['from', 'to', 'group_by', 'format', ...FILTERS.map((name) => (name === 'key' ? 'key_id' : name))];
const DAY_MS = 86_400_000;
/** A request for more groups than that is a mistake. */
const MOST_GROUPINGS = 4;
const MOST_VALUES = 100;

/**
 * Reads `from`, `to` (times, or dates of UTC; default the last 30 days until now), `group_by` (several, by commas or
 * repeated; `model` is another word for `expert`) and a filter for each column, as `project=shop,lab` (`key_id` for keys).
 *
 * @param parameters as of a URL
 * @param userDigest what stands in the book for a user's name
 * @throws {GatewrightError} `GW_REQUEST_TYPE`
 */
export function usageQuery(
  parameters: URLSearchParams,
  nowMs: number,
  userDigest: (user: string) => string,
): UsageQuery {
  for (const name of parameters.keys())
    if (!PARAMETERS.includes(name)) throw wrong(name, 'is not known', `Known: ${PARAMETERS.join(', ')}.`);
  const toMs = timeOf(parameters, 'to') ?? nowMs + 1;
  const fromMs = timeOf(parameters, 'from') ?? toMs - 30 * DAY_MS;
  if (fromMs >= toMs) throw wrong('from', 'is not before to', 'Ask for a stretch of time that has a length.');
  const groupBy = listOf(parameters, 'group_by').map((name) => (name === 'model' ? 'expert' : name)) as Grouping[];
  if (groupBy.length > MOST_GROUPINGS || new Set(groupBy).size < groupBy.length)
    throw wrong('group_by', `has ${groupBy.length} entries`, `Name each once, ${MOST_GROUPINGS} at most.`);
  for (const name of groupBy)
    if (!GROUPINGS.includes(name))
      throw wrong('group_by', `has ${JSON.stringify(name)}`, `Known: ${GROUPINGS.join(', ')}.`);
  const filter: Partial<Record<(typeof FILTERS)[number], readonly string[]>> = {};
  for (const name of FILTERS) {
    // A parameter `key` would look like a key in an address, which the gateway refuses.
    const values = listOf(parameters, name === 'key' ? 'key_id' : name);
    if (values.length > MOST_VALUES) throw wrong(name, `has ${values.length} values`, `Send ${MOST_VALUES} at most.`);
    // A digest may be asked for as it was told.
    if (values.length > 0)
      filter[name] =
        name === 'user' ? values.map((user) => (/^[0-9a-f]{32}$/.test(user) ? user : userDigest(user))) : values;
  }
  // Sums are kept by the hour: one that has begun before `from` is a part of what is asked for.
  return { fromMs: fromMs - (fromMs % 3_600_000), toMs, groupBy, filter };
}

/** A row as it is told. Costs are USD. */
export function shownUsage({ group, ...sums }: UsageRow): Record<string, string | number | null> {
  return {
    ...group,
    requests: sums.requests,
    calls: sums.calls,
    prompt_tokens: sums.promptTokens,
    cached_tokens: sums.cachedTokens,
    completion_tokens: sums.completionTokens,
    reasoning_tokens: sums.reasoningTokens,
    cost_usd: sums.costUsd,
    saved_usd: sums.savedUsd,
    lost_calls: sums.lostCalls,
  };
}

/** Rows as CSV with a head, by RFC 4180. */
export function usageCsv(rows: readonly UsageRow[], groupBy: readonly Grouping[]): string {
  const shown = rows.map(shownUsage);
  const head = [...groupBy, ...SUM_NAMES];
  return [head, ...shown.map((row) => head.map((name) => row[name] ?? ''))]
    .map((cells) => cells.map(csvCell).join(','))
    .map((line) => `${line}\r\n`)
    .join('');
}

const SUM_NAMES = [
  'requests',
  'calls',
  'prompt_tokens',
  'cached_tokens',
  'completion_tokens',
  'reasoning_tokens',
  'cost_usd',
  'saved_usd',
  'lost_calls',
];

/** A name may begin as a formula would: spreadsheets must not run it. */
function csvCell(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function listOf(parameters: URLSearchParams, name: string): string[] {
  return parameters
    .getAll(name)
    .flatMap((text) => text.split(','))
    .map((text) => text.trim())
    .filter((text) => text !== '');
}

/** `2026-11-22`, `2026-11-22T05:00:00Z`, or seconds since 1970. */
function timeOf(parameters: URLSearchParams, name: string): number | undefined {
  const text = parameters.get(name);
  if (text === null || text === '') return undefined;
  const isTime = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/.test(text);
  const atMs = /^\d{1,11}$/.test(text) ? Number(text) * 1_000 : isTime ? Date.parse(text) : Number.NaN;
  if (Number.isNaN(atMs))
    throw wrong(name, `is ${JSON.stringify(text.slice(0, 60))}`, 'Write it as 2026-11-22 or 2026-11-22T05:00:00Z.');
  return atMs;
}

function wrong(path: string, what: string, fix: string): GatewrightError {
  return new GatewrightError('GW_REQUEST_TYPE', `${path} ${what}.`, { path, fix });
}

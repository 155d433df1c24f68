/** What a client says of a request beside its body: task, user, groups and flags, from headers. */
import type { IncomingHttpHeaders } from 'node:http';
import { GatewrightError } from '@gatewright/kernel';
import { type Requirements, requirementsOf } from '../requirements.ts';

/** What the client said. */
export interface RequestHints {
  /** `x-gw-task`: the kind of the request, a skill of the configuration, where keywords would only guess. */
  readonly task?: string;
  /** `x-gw-user`, else the body's `user`: whose preferences count. */
  readonly user?: string;
  /** `x-gw-session`: the conversation that the request goes on with. */
  readonly session?: string;
  /** `x-gw-groups`: groups that the user belongs to. */
  readonly groups: readonly string[];
  /** Soft part of `x-gw-flags`: attribute -> what one unit of it costs, in units of quality. */
  readonly flags: Readonly<Record<string, number>>;
  /** Hard part: flags that an expert must satisfy. */
  readonly hardFlags: readonly string[];
  /** What the client demands of whoever answers; absent where it demands nothing. */
  readonly requires?: Requirements;
  /** Not said but fetched before the decision: the vector of the text, where an endpoint is configured. */
  readonly embedding?: Float32Array;
}

/** Nothing said. */
export const NO_HINTS: RequestHints = { groups: [], flags: {}, hardFlags: [] };

const MOST_GROUPS = 8;
const MOST_FLAGS = 16;
const NAME = /^[A-Za-z0-9][A-Za-z0-9._:-]{0,59}$/;
const FLAG = /^([a-z][a-z0-9-]{0,39})=(hard|\d{1,4}(?:\.\d{1,6})?)$/;

/**
 * Reads the headers of a request.
 *
 * @param user the body's `user`, if any
 * @param body for its routing fields, if any
 * @throws {GatewrightError} `GW_REQUEST_TYPE` if a header is not as it should be; a flag that cannot be read is never left out
 */
export function hintsOf(
  headers: IncomingHttpHeaders,
  user: string | null | undefined,
  body?: Readonly<Record<string, unknown>>,
): RequestHints {
  const requires = requirementsOf(headers, body);
  const task = named(headers, 'x-gw-task');
  const givenUser = named(headers, 'x-gw-user') ?? (typeof user === 'string' && user !== '' ? user : undefined);
  const session = named(headers, 'x-gw-session');
  const groups = listed(headers, 'x-gw-groups', MOST_GROUPS);
  const flagTexts = listed(headers, 'x-gw-flags', MOST_FLAGS);
  const isSilent = task === undefined && givenUser === undefined && session === undefined;
  if (isSilent && groups.length === 0 && flagTexts.length === 0)
    return requires === undefined ? NO_HINTS : { ...NO_HINTS, requires };
  for (const group of groups) {
    requireName('x-gw-groups', group);
    // These the gateway gives itself: a client must not count among another task's requests.
    if (group === 'all' || group.startsWith('task:'))
      throw wrong(
        'x-gw-groups',
        `has ${JSON.stringify(group)}`,
        'Choose a name that is not "all" and does not begin with "task:".',
      );
  }
  const flags: Record<string, number> = {};
  const hardFlags: string[] = [];
  for (const text of flagTexts) {
    const [, name, value] = FLAG.exec(text) ?? [];
    if (name === undefined)
      throw wrong('x-gw-flags', `has ${JSON.stringify(text.slice(0, 60))}`, 'Write it as size=0.3,privacy=hard.');
    if (value === 'hard') hardFlags.push(name);
    else flags[name] = Number(value);
  }
  return {
    ...(task === undefined ? {} : { task }),
    ...(givenUser === undefined ? {} : { user: givenUser }),
    ...(session === undefined ? {} : { session }),
    groups,
    flags,
    hardFlags,
    ...(requires === undefined ? {} : { requires }),
  };
}

function named(headers: IncomingHttpHeaders, header: string): string | undefined {
  const value = headers[header];
  if (value === undefined) return undefined;
  requireName(header, value);
  return value;
}

function listed(headers: IncomingHttpHeaders, header: string, most: number): string[] {
  const value = headers[header];
  if (value === undefined) return [];
  const items = String(value)
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
  if (items.length > most) throw wrong(header, `has ${items.length} entries`, `Send ${most} at most.`);
  return items;
}

function requireName(header: string, value: string | string[]): asserts value is string {
  if (typeof value === 'string' && NAME.test(value)) return;
  throw wrong(
    header,
    `is ${JSON.stringify(String(value).slice(0, 60))}`,
    'Use letters, digits and . _ : -, at most 60 of them.',
  );
}

function wrong(header: string, what: string, fix: string): GatewrightError {
  return new GatewrightError('GW_REQUEST_TYPE', `${header} ${what}.`, { path: header, fix });
}

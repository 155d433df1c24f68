/** Log lines as text or as JSON: one line each, without secrets, and not without end when one thing goes wrong all the time. */
import type { Log } from './log.ts';
import { redact } from './redact.ts';

/** How lines are written, as in the configuration under `logs`. */
export interface LogOptions {
  /** Default `text`. */
  readonly format?: 'text' | 'json';
  /** What is less is left out. Default `info`. */
  readonly level?: 'info' | 'warn' | 'error';
  /** Exact values that must not be written, e.g. keys of the environment. The same list each time, until it changes. */
  readonly secrets?: readonly string[] | (() => readonly string[]);
}

/** A log that writes lines. */
export interface LineLog {
  readonly log: Log;
  /** Writes what waits, and says how many lines were held back and not told yet. */
  close(): void;
}

type Fields = Readonly<Record<string, unknown>>;

const LEVELS = { info: 0, warn: 1, error: 2 } as const;
/** Of one message, in `WINDOW_MS`; the rest is counted, and told with the next one that is written. */
const MOST_REPEATED = 20;
const WINDOW_MS = 10_000;
/** Different messages whose repetitions are counted. */
const MOST_MESSAGES = 200;
/** Lines that are wanted each: one for every request. They are many, and share a write: most consoles make the writer wait. */
const UNBOUNDED = new Set(['request']);
const SHARED_MS = 50;
const MOST_SHARED = 100;
const MOST_CHARACTERS = 4_000;
const MOST_DEPTH = 4;
const MOST_ENTRIES = 50;
/** Names of fields whose text is a secret, whatever it looks like. */
const SECRET_NAME =
  /(?:^|[-_.])(?:api[-_]?keys?|keys?|tokens?|secrets?|passw(?:or)?ds?|authorization|cookies?|credentials?)$|apiKey$|Secret$|Token$|Password$/i;

/**
 * Creates a log.
 *
 * @param write takes one line, or several with their ends between them, without the last end
 * @param now milliseconds since 1970
 */
export function lineLog(
  write: (line: string) => void,
  options: LogOptions = {},
  now: () => number = Date.now,
): LineLog {
  const { format = 'text', level: least = 'info', secrets: known = [] } = options;
  const secretsNow = typeof known === 'function' ? known : () => known;
  const repeated = new Map<string, { sinceMs: number; written: number; held: number }>();

  /** How many were held back before this line, or undefined if it is held back itself. */
  const admitted = (key: string): number | undefined => {
    const nowMs = now();
    const known = repeated.get(key);
    if (known === undefined || nowMs - known.sinceMs >= WINDOW_MS || nowMs < known.sinceMs) {
      if (known === undefined && repeated.size >= MOST_MESSAGES) repeated.delete(repeated.keys().next().value!);
      repeated.set(key, { sinceMs: nowMs, written: 1, held: 0 });
      return known?.held ?? 0;
    }
    if (known.written >= MOST_REPEATED) {
      known.held++;
      return undefined;
    }
    known.written++;
    return 0;
  };
  const line = (level: keyof typeof LEVELS, message: string, fields: Fields): string => {
    const time = new Date(now()).toISOString();
    const secrets = secretsNow();
    const clean = cleaned(fields, secrets, 0) as Fields;
    const said = cleanText(message, secrets);
    // What the line itself says comes last: a field of the same name must not stand for it.
    if (format === 'json') return JSON.stringify({ time, level, message: said, ...without(clean) });
    const rest = Object.entries(clean).map(([name, value]) => `${name}=${textValue(value)}`);
    return oneLine([time, level, said, ...rest].join(' '));
  };

  let waiting: string[] = [];
  let timer: NodeJS.Timeout | undefined;
  const flush = (): void => {
    clearTimeout(timer);
    timer = undefined;
    if (waiting.length === 0) return;
    const text = waiting.join('\n');
    waiting = [];
    write(text);
  };

  return {
    log(level, message, fields = {}) {
      if (LEVELS[level] < LEVELS[least]) return;
      if (UNBOUNDED.has(message)) {
        waiting.push(line(level, message, fields));
        if (waiting.length >= MOST_SHARED) flush();
        else timer ??= setTimeout(flush, SHARED_MS).unref();
        return;
      }
      const held = admitted(`${level} ${message}`);
      if (held === undefined) return;
      // Lines stay in the order in which things happened.
      flush();
      write(line(level, message, held === 0 ? fields : { ...fields, held_back: held }));
    },
    close() {
      flush();
      for (const [key, { held }] of repeated) {
        if (held > 0) write(line('warn', 'lines were held back', { line: key, held_back: held }));
      }
      repeated.clear();
    },
  };
}

function without(fields: Fields): Fields {
  const { time: _time, level: _level, message: _message, ...rest } = fields;
  return rest;
}

/** A copy that can be written: no secrets, no cycles, nothing huge. */
function cleaned(value: unknown, secrets: readonly string[], depth: number): unknown {
  if (typeof value === 'string') return cleanText(value, secrets);
  if (typeof value === 'bigint') return String(value);
  if (value === null || typeof value !== 'object') return typeof value === 'function' ? undefined : value;
  if (value instanceof Error) return cleanText(value.stack ?? value.message, secrets);
  if (depth >= MOST_DEPTH) return '[deeper]';
  if (Array.isArray(value)) return value.slice(0, MOST_ENTRIES).map((item) => cleaned(item, secrets, depth + 1));
  const copy: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(value).slice(0, MOST_ENTRIES)) {
    if (field === undefined) continue;
    // A number under such a name is a count: tokens, keys.
    const isSecret =
      SECRET_NAME.test(name) && typeof field !== 'number' && typeof field !== 'boolean' && field !== null;
    copy[cleanText(name, secrets)] = isSecret ? '[redacted]' : cleaned(field, secrets, depth + 1);
  }
  return copy;
}

function cleanText(text: string, secrets: readonly string[]): string {
  const clean = redact(text, secrets);
  return clean.length <= MOST_CHARACTERS ? clean : `${clean.slice(0, MOST_CHARACTERS)}[${clean.length} characters]`;
}

/** Text of others must not begin a line of its own, nor steer a terminal. */
function oneLine(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, (sign) =>
    JSON.stringify(sign)
      .slice(1, -1)
      .replace(/^[^\\]$/, '?'),
  );
}

function textValue(value: unknown): string {
  if (typeof value === 'string' && /^[\w./:@+-]+$/.test(value)) return value;
  return JSON.stringify(value) ?? 'undefined';
}

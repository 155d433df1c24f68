/**
 * Every error that Gatewright throws on purpose. Match on `code`, never on the text.
 * Codes are stable: they are part of the HTTP answers and of the command line's output.
 */

/** What an error carries beside its message. */
export interface ErrorDetails {
  /** The next action for whoever reads it, one sentence. */
  readonly fix: string;
  /** Where in the caller's input it is wrong, e.g. `modes.auto.policy.use` or `messages[2].role`. */
  readonly path?: string;
  /** Structured facts that a program may want, e.g. the known names. Never a secret. */
  readonly facts?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/**
 * An error with a stable code (`GW_...`), a message that says what and why with the values, and the next action.
 * Mapping a code to an HTTP status or an exit code happens at the rim, in one place each.
 */
export class GatewrightError extends Error {
  readonly code: string;
  readonly fix: string;
  readonly path: string | undefined;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(code: string, message: string, details: ErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = 'GatewrightError';
    this.code = code;
    this.fix = details.fix;
    this.path = details.path;
    this.facts = details.facts ?? {};
  }
}

/** Stands for a value that must not appear in a message, because it may be a secret that was put in the wrong place. */
export const WITHHELD: unique symbol = Symbol('withheld');

/** An option of a factory has the wrong type or is out of range. Code `GW_OPTION`. */
export class OptionError extends GatewrightError {
  constructor(option: string, expected: string, actual: unknown, fix: string) {
    super('GW_OPTION', `${option} must be ${expected}${actual === WITHHELD ? '' : `, got ${show(actual)}`}.`, {
      fix,
      path: option,
    });
    this.name = 'OptionError';
  }
}

/** An array does not have the shape that the call needs. Code `GW_SHAPE`. */
export class ShapeError extends GatewrightError {
  constructor(argument: string, expected: string, actual: unknown, fix: string) {
    super('GW_SHAPE', `${argument} must be ${expected}, got ${show(actual)}.`, { fix, path: argument });
    this.name = 'ShapeError';
  }
}

/** A name that nobody knows. Lists the known ones and suggests the nearest. Code `GW_UNKNOWN_NAME` unless given. */
export class UnknownNameError extends GatewrightError {
  constructor(kind: string, name: string, known: readonly string[], options: { code?: string; path?: string } = {}) {
    const sorted = [...known].sort();
    const near = nearestName(name, sorted);
    super(options.code ?? 'GW_UNKNOWN_NAME', `There is no ${kind} named ${show(name)}.`, {
      fix: `${near === undefined ? '' : `Did you mean ${show(near)}? `}Known: ${sorted.join(', ') || '(none)'}.`,
      ...(options.path === undefined ? {} : { path: options.path }),
      facts: { name: clip(name), known: sorted, ...(near === undefined ? {} : { nearest: near }) },
    });
    this.name = 'UnknownNameError';
  }
}

/** True for errors of ours, also across two copies of this package. */
export function isGatewrightError(error: unknown): error is GatewrightError {
  return error instanceof Error && typeof (error as Partial<GatewrightError>).code === 'string' && 'fix' in error;
}

/**
 * The known name with the smallest edit distance to `name`, if it is near enough to be a slip of the pen
 * (at most a third of the letters differ; one may in any name). Case does not count.
 */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  const wanted = clip(name).toLowerCase();
  let best: string | undefined;
  let bestDistance = Math.max(1, Math.floor(Math.max(wanted.length, 3) / 3)) + 1;
  for (const candidate of known) {
    const distance = editDistance(wanted, candidate.toLowerCase());
    if (distance < bestDistance) {
      best = candidate;
      bestDistance = distance;
    }
  }
  return best;
}

/** Levenshtein distance with one row of memory. */
function editDistance(a: string, b: string): number {
  const row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    let diagonal = row[0]!;
    row[0] = i;
    for (let j = 1; j <= b.length; j++) {
      const above = row[j]!;
      row[j] = Math.min(above + 1, row[j - 1]! + 1, diagonal + (a[i - 1] === b[j - 1] ? 0 : 1));
      diagonal = above;
    }
  }
  return row[b.length]!;
}

/** A value as it may stand in a message: short, quoted if a string. */
function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(clip(value));
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined || value === null)
    return `${value}`;
  if (Array.isArray(value)) return `a list of ${value.length}`;
  return `a value of type ${typeof value}`;
}

/** Names come from callers: a message must not grow with a hostile one. */
function clip(text: string): string {
  return text.length > 120 ? `${text.slice(0, 117)}...` : text;
}

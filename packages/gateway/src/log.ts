/** What the gateway says of itself. */

/** One line: what happened, and the facts. Never a secret, never the text of a request or an answer. */
export type Log = (
  level: 'info' | 'warn' | 'error',
  message: string,
  fields?: Readonly<Record<string, unknown>>,
) => void;

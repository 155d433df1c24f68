/** Names that clients bring along, and the modes or experts that they stand for. */

/** What a name stands for; undefined if it is no alias. */
export type AliasOf = (name: string) => string | undefined;

/**
 * Reads the aliases of a configuration. A name written out comes before one with `*`, which stands for any characters; of
 * several with `*` the first in the file counts.
 *
 * @param aliases name or pattern -> mode or expert
 */
export function aliasesOf(aliases: Readonly<Record<string, string>>): AliasOf {
  const exact = new Map<string, string>();
  const patterns: { readonly parts: readonly string[]; readonly target: string }[] = [];
  for (const [name, target] of Object.entries(aliases)) {
    if (name.includes('*')) patterns.push({ parts: name.split('*'), target });
    else exact.set(name, target);
  }
  return (name) => exact.get(name) ?? patterns.find(({ parts }) => matches(name, parts))?.target;
}

/** Each part as early as it goes, the last at the end: linear, whatever the pattern. */
function matches(name: string, parts: readonly string[]): boolean {
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (name.length < first.length + last.length || !name.startsWith(first) || !name.endsWith(last)) return false;
  const end = name.length - last.length;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = name.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}

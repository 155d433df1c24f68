/** Reading text that people type: what every solver shares. */

/** Longer texts are not tasks; the cap bounds every solver's work. Characters. */
export const MAX_PROMPT_CHARACTERS = 4000;

/**
 * The text with typographic quotes, dashes and operators made plain and whitespace collapsed; empty when it is too
 * long to be a task. Case is kept.
 */
export function tidy(prompt: string): string {
  if (prompt.length > MAX_PROMPT_CHARACTERS) return '';
  return prompt
    .replace(/[\u2018\u2019]/g, "'")
    .replace(/[\u201c\u201d\u00ab\u00bb`]/g, '"')
    .replace(/[\u2010-\u2015\u2212]/g, '-')
    .replace(/[\u00d7\u22c5]/g, '*')
    .replace(/\u00f7/g, '/')
    .replace(/\s+/g, ' ')
    .trim();
}

/** What stands between quotation marks, first of all; undefined when nothing is quoted. */
export function quoted(text: string): string | undefined {
  const match = /"([^"]{1,200})"/.exec(text) ?? /(?:^|[\s:(])'([^']{1,200})'(?=$|[\s?.!,;:)])/.exec(text);
  return match?.[1]?.trim() || undefined;
}

/**
 * The candidates that differ from the answer and from each other (case does not count), at most six; `spare` fills up
 * to two when they are too few.
 */
export function distractorsOf(
  answer: string,
  candidates: readonly string[],
  spare: (index: number) => string,
): string[] {
  const seen = new Set([comparable(answer)]);
  const out: string[] = [];
  const add = (candidate: string): void => {
    const key = comparable(candidate);
    if (key === '' || seen.has(key) || out.length >= 6) return;
    seen.add(key);
    out.push(candidate);
  };
  for (const candidate of candidates) add(candidate);
  for (let i = 1; out.length < 2 && i <= 20; i++) add(spare(i));
  return out;
}

/** A text in the form in which two answers are compared: case, spacing, quotes and the last full stop do not count. */
export function comparable(text: string): string {
  return text
    .toLowerCase()
    .replace(/["'`*_$]/g, '')
    .replace(/\s*([,;:])\s*/g, '$1')
    .replace(/\s+/g, ' ')
    .replace(/^ +| *[.!?]* *$/g, '');
}

/** Keeps keys out of whatever is logged, traced, shown or sent back. */

/** Shapes of keys that providers are known to hand out, and of the headers that carry them. */
const KEY_SHAPES = [
  /\b(?:sk|pk|rk|key|gsk|xai|AIza|hf|ghp|glpat)[-_][A-Za-z0-9_-]{8,}/g,
  /\bAIza[A-Za-z0-9_-]{20,}/g,
  /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi,
  /\b(api[-_ ]?key["'\s:=]+)[A-Za-z0-9._~+/=*-]{6,}/gi,
];

/**
 * The text without the given secrets and without anything that looks like a key.
 *
 * @param secrets exact values, e.g. the key that was sent; ones shorter than 4 characters are left alone
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  let clean = text;
  for (const secret of secrets) if (secret.length >= 4) clean = clean.replaceAll(secret, '[redacted]');
  for (const shape of KEY_SHAPES) clean = clean.replace(shape, '[redacted]');
  return clean;
}

/** Keeps keys out of whatever is logged, traced, shown or sent back. */

/** Shapes of keys that providers are known to hand out, and of the headers that carry them. */
const KEY_SHAPES = [
  // Virtual keys of this gateway (identity/key-text.ts), also a beginning of one.
  /gw-[0-9A-Za-z]{12}_[0-9A-Za-z]{6,}/g,
  /\b(?:sk|pk|rk|key|gsk|xai|AIza|hf|ghp|glpat)[-_][A-Za-z0-9_-]{8,}/g,
  /\bAIza[A-Za-z0-9_-]{20,}/g,
  /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{6,}/gi,
  /\b(api[-_ ]?key["'\s:=]+)[A-Za-z0-9._~+/=*-]{6,}/gi,
];

/**
 * The text without the given secrets and without anything that looks like a key.
 *
 * @param secrets exact values, e.g. the key that was sent, hidden also in encodings that anybody can undo; ones shorter
 *   than 4 characters are left alone
 */
export function redact(text: string, secrets: readonly string[] = []): string {
  let clean = text;
  // Most texts are shorter than most secrets: the comparison of lengths is what makes a line of the log cheap.
  if (secrets.length > 0)
    for (const form of formsOf(secrets))
      if (form.length <= clean.length && clean.includes(form)) clean = clean.replaceAll(form, '[redacted]');
  for (const shape of KEY_SHAPES) clean = clean.replace(shape, '[redacted]');
  return clean;
}

/** An encoding of a shorter one is too short to be told from other text. */
const SHORTEST_ENCODED = 8;

/** Of lists that are still in use: whoever logs much hands in the same one each time. */
const knownForms = new WeakMap<readonly string[], readonly string[]>();

function formsOf(secrets: readonly string[]): readonly string[] {
  const known = knownForms.get(secrets);
  if (known !== undefined) return known;
  const plain = secrets.filter(({ length }) => length >= 4);
  const encoded = secrets.filter(({ length }) => length >= SHORTEST_ENCODED).flatMap(encodingsOf);
  const forms = [...new Set([...plain, ...encoded])];
  knownForms.set(secrets, forms);
  return forms;
}

/** A secret as JSON, as a part of a URL, in hexadecimal and in base64 wherever it begins in a longer text. */
function encodingsOf(secret: string): string[] {
  const bytes = Buffer.from(secret);
  const hex = bytes.toString('hex');
  const json = JSON.stringify(secret).slice(1, -1);
  const forms = [
    json,
    json.replaceAll('/', '\\/'),
    hex.replace(/../g, '\\u00$&'),
    encodeURIComponent(secret),
    hex.replace(/../g, '%$&'),
    hex.toUpperCase().replace(/../g, '%$&'),
    hex,
    hex.toUpperCase(),
  ];
  for (const offset of [0, 1, 2]) {
    // The first and the last group may hold bits of what stands beside the secret.
    const text = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    const middle = text.slice(offset === 0 ? 0 : 4, -2);
    forms.push(middle, middle.replaceAll('+', '-').replaceAll('/', '_'));
  }
  return forms;
}

/** Exact arithmetic with fractions of big integers: solvers must not be wrong in the last digit. */

/** A number `top / bottom`; `bottom` is positive. */
export interface Fraction {
  readonly top: bigint;
  readonly bottom: bigint;
}

/** A fraction in lowest terms. `bottom` must not be zero. */
export function fraction(top: bigint | number, bottom: bigint | number = 1n): Fraction {
  let [a, b] = [BigInt(top), BigInt(bottom)];
  if (b < 0n) [a, b] = [-a, -b];
  const divisor = greatestCommonDivisor(a < 0n ? -a : a, b);
  return divisor === 0n ? { top: a, bottom: b } : { top: a / divisor, bottom: b / divisor };
}

/** The number that a text such as `12`, `-0.5` or `1,250.75` writes; undefined when it writes none or over 60 characters. */
export function parseDecimal(text: string): Fraction | undefined {
  const match = /^(-?)(\d+|\d{1,3}(?:,\d{3})+)?(?:\.(\d+))?$/.exec(text);
  if (text.length > 60 || match === null || (match[2] === undefined && match[3] === undefined)) return undefined;
  const decimals = match[3] ?? '';
  const digits = BigInt((match[2] ?? '').replaceAll(',', '') + decimals);
  return fraction(match[1] === '-' ? -digits : digits, 10n ** BigInt(decimals.length));
}

/** `a + b`. */
export function add(a: Fraction, b: Fraction): Fraction {
  return fraction(a.top * b.bottom + b.top * a.bottom, a.bottom * b.bottom);
}

/** `a - b`. */
export function subtract(a: Fraction, b: Fraction): Fraction {
  return fraction(a.top * b.bottom - b.top * a.bottom, a.bottom * b.bottom);
}

/** `a * b`. */
export function multiply(a: Fraction, b: Fraction): Fraction {
  return fraction(a.top * b.top, a.bottom * b.bottom);
}

/** `a / b`, undefined when `b` is zero. */
export function divide(a: Fraction, b: Fraction): Fraction | undefined {
  return b.top === 0n ? undefined : fraction(a.top * b.bottom, a.bottom * b.top);
}

/** The number in decimals, rounded half away from zero to at most `decimals` places, trailing zeros left out. */
export function formatFraction(value: Fraction, decimals: number): string {
  const scale = 10n ** BigInt(decimals);
  const magnitude = value.top < 0n ? -value.top : value.top;
  const rounded = (2n * magnitude * scale + value.bottom) / (2n * value.bottom);
  const places = (rounded % scale).toString().padStart(decimals, '0').replace(/0+$/, '');
  const sign = value.top < 0n && rounded > 0n ? '-' : '';
  return `${sign}${rounded / scale}${decimals === 0 || places === '' ? '' : `.${places}`}`;
}

function greatestCommonDivisor(a: bigint, b: bigint): bigint {
  while (b > 0n) [a, b] = [b, a % b];
  return a;
}

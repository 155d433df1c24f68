/**
 * The sandbox's tokenizer. Simple and documented rather than anybody's real one: words split into pieces of four
 * letters, numbers into pieces of three digits, everything else one character a token; one space before a piece belongs
 * to it. English comes out at about four characters a token.
 */

const LETTERS_PER_TOKEN = 4;
const DIGITS_PER_TOKEN = 3;

/** The tokens of a text; joined they give the text again. */
export function tokenize(text: string): string[] {
  const tokens: string[] = [];
  scan(text, (start, end) => tokens.push(text.slice(start, end)));
  return tokens;
}

/** How many tokens a text has, without making them. */
export function countTokens(text: string): number {
  let count = 0;
  scan(text, () => count++);
  return count;
}

function scan(text: string, visit: (start: number, end: number) => void): void {
  let at = 0;
  while (at < text.length) {
    const start = at;
    if (text.charCodeAt(at) === SPACE && at + 1 < text.length && text.charCodeAt(at + 1) !== SPACE) at++;
    const isWanted = isLetter(text.charCodeAt(at)) ? isLetter : isDigit(text.charCodeAt(at)) ? isDigit : undefined;
    if (isWanted === undefined) {
      // A pair of surrogates is one character and stays together.
      at += text.codePointAt(at)! > 0xffff ? 2 : 1;
    } else {
      const limit = at + (isWanted === isLetter ? LETTERS_PER_TOKEN : DIGITS_PER_TOKEN);
      while (at < limit && at < text.length && isWanted(text.charCodeAt(at))) at++;
    }
    visit(start, at);
  }
}

const SPACE = 32;

/** Latin letters with and without accents; other scripts count one token a character. */
function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 0xc0 && code < 0x250);
}

function isDigit(code: number): boolean {
  return code >= 48 && code <= 57;
}

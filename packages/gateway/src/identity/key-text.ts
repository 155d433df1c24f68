/**
 * The form of a virtual key:
 *
 *     gw-<12 characters: public id>_<43: 32 random bytes><6: CRC-32 of all before>
 *
 * Letters and digits only, so that a double click selects it. The checksum tells a mistyped key from an unknown one, and
 * lets a scanner of leaked secrets know one when it sees it.
 */
import { createHash, hash, randomBytes } from 'node:crypto';
import { crc32 } from 'node:zlib';

const ALPHABET = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';
const ID_LENGTH = 12;
/** 62^43 > 2^256: every 32 bytes fit. */
const SECRET_LENGTH = 43;
const CHECKSUM_LENGTH = 6;
const SHAPE = new RegExp(`^gw-([0-9A-Za-z]{${ID_LENGTH}})_[0-9A-Za-z]{${SECRET_LENGTH + CHECKSUM_LENGTH}}$`);

/** Begins the id of a key. */
export const KEY_ID_PREFIX = 'vk_';

/** A new id: `vk_` and 12 characters. Public. */
export function newKeyId(random: (bytes: number) => Buffer = randomBytes): string {
  // Of 16 bytes the last 12 digits: as good as even, and an id needs to be told apart only.
  return KEY_ID_PREFIX + base62(random(16), 22).slice(-ID_LENGTH);
}

/** A new key for an id. The only place where a key's text comes to be. */
export function newKeyText(id: string, random: (bytes: number) => Buffer = randomBytes): string {
  const open = `gw-${id.slice(KEY_ID_PREFIX.length)}_${base62(random(32), SECRET_LENGTH)}`;
  return open + checksum(open);
}

/** The id that a key names; undefined where the text is no key, or a mistyped one. Says nothing about whether it is known. */
export function keyIdIn(text: string): string | undefined {
  const found = SHAPE.exec(text);
  if (found === null || checksum(text.slice(0, -CHECKSUM_LENGTH)) !== text.slice(-CHECKSUM_LENGTH)) return undefined;
  return KEY_ID_PREFIX + found[1]!;
}

/** What is kept of a key: its SHA-256, hex. Why no slow hash is needed: docs/decisions/keys-hashed-once.md. */
export function digestOf(text: string): string {
  return hash('sha256', text, 'hex');
}

/** The same, as bytes, for comparisons in constant time. */
export function digestBytes(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}

/** On every request: plain numbers, where `base62` takes large ones. */
function checksum(text: string): string {
  let rest = crc32(text);
  let sum = '';
  for (let place = 0; place < CHECKSUM_LENGTH; place++) {
    sum = ALPHABET[rest % 62]! + sum;
    rest = Math.floor(rest / 62);
  }
  return sum;
}

function base62(bytes: Buffer, length: number): string {
  let rest = BigInt(`0x${bytes.toString('hex')}`);
  let text = '';
  for (let place = 0; place < length; place++) {
    text = ALPHABET[Number(rest % 62n)]! + text;
    rest /= 62n;
  }
  return text;
}

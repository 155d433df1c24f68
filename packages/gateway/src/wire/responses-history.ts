/** Earlier turns of a conversation, from the store: bounded, and complete or not at all. */
import { GatewrightError } from '@gatewright/kernel';
import type { KeptResponse, ResponseStore } from '../stores/responses.ts';
import type { Fields } from './responses-check.ts';

/** More turns than this are not put together again: each is read anew for every request. */
const MOST_TURNS = 1_000;
/** JSON text of all turns together: as much as a body may hold by default. A short request must not cost more than a long one. */
const MOST_CHARACTERS = 20_971_520;

/** One item of an earlier turn, and how to call its place. */
export interface EarlierItem {
  readonly item: Fields;
  readonly path: string;
}

/**
 * The items of a turn and all turns before it, oldest first.
 *
 * @throws {GatewrightError} `GW_RESPONSE_UNKNOWN` if one of them is not there; `GW_RESPONSE_CHAIN` if they are too many
 */
export function earlierItems(store: ResponseStore, owner: string, id: string): EarlierItem[] {
  const turns: KeptResponse[] = [];
  let characters = 0;
  for (let next: string | undefined = id; next !== undefined; ) {
    const turn: KeptResponse | undefined = store.find(owner, next);
    if (turn === undefined) throw unknownResponse(next, turns.at(-1)?.id);
    turns.push(turn);
    characters += turn.input.length + turn.output.length;
    if (turns.length > MOST_TURNS || characters > MOST_CHARACTERS)
      throw new GatewrightError(
        'GW_RESPONSE_CHAIN',
        `The conversation behind ${id} has more than ${MOST_TURNS} turns or ${MOST_CHARACTERS} characters.`,
        { fix: 'Begin a new one and send what still matters as input.', path: 'previous_response_id' },
      );
    next = turn.previousId;
  }
  return turns
    .reverse()
    .flatMap((turn) => [
      ...itemsOf(turn.input).map((item, index) => ({ item, path: `${turn.id}.input[${index}]` })),
      ...itemsOf(turn.output).map((item, index) => ({ item, path: `${turn.id}.output[${index}]` })),
    ]);
}

/** Finds the item that an id stands for. @param path of the id, for errors */
export type FindItem = (id: string, path: string) => Fields;

/**
 * Finds the items of one request. Ids hold the id of their response, so nothing has to be searched; a response is read once,
 * and a short request cannot name what comes to more than a long one could say.
 *
 * @returns throws {GatewrightError} `GW_RESPONSE_UNKNOWN`; `GW_RESPONSE_CHAIN` if the items are too many
 */
export function itemFinder(store: ResponseStore, owner: string): FindItem {
  const turns = new Map<string, ReadonlyMap<unknown, FoundItem>>();
  let characters = 0;
  const itemsOfTurn = (base: string): ReadonlyMap<unknown, FoundItem> => {
    const known = turns.get(base);
    if (known !== undefined) return known;
    const turn = store.find(owner, `resp_${base}`);
    const found = new Map<unknown, FoundItem>();
    if (turn !== undefined) {
      characters += turn.input.length + turn.output.length;
      // Of two that a client gave one id the answer's stands, then the first.
      for (const item of [...itemsOf(turn.output), ...itemsOf(turn.input)])
        if (!found.has(item['id'])) found.set(item['id'], { item, characters: undefined });
    }
    turns.set(base, found);
    return found;
  };
  return (id, path) => {
    const base = /^[a-z]+_([0-9a-f]{32})_/.exec(id)?.[1];
    const found = base === undefined ? undefined : itemsOfTurn(base).get(id);
    if (found === undefined)
      throw new GatewrightError('GW_RESPONSE_UNKNOWN', `There is no item ${JSON.stringify(id.slice(0, 100))}.`, {
        fix: 'Send the item itself; items are kept with their response, for the key that asked.',
        path,
      });
    found.characters ??= JSON.stringify(found.item).length;
    characters += found.characters;
    if (characters > MOST_CHARACTERS)
      throw new GatewrightError(
        'GW_RESPONSE_CHAIN',
        `The items that the input refers to have more than ${MOST_CHARACTERS} characters.`,
        { fix: 'Refer to fewer, or go on with previous_response_id.', path },
      );
    return found.item;
  };
}

interface FoundItem {
  readonly item: Fields;
  /** Of its JSON text, once somebody asked. */
  characters: number | undefined;
}

/** A response that is not there, for whoever asks. */
export function unknownResponse(id: string, after?: string): GatewrightError {
  return new GatewrightError(
    'GW_RESPONSE_UNKNOWN',
    `There is no response ${JSON.stringify(id.slice(0, 100))}${after === undefined ? '' : `, which ${after} goes on from`}.`,
    {
      fix: 'Responses are kept for the key that asked, unless "store" was false, and go when they are deleted or old. Send the conversation as input.',
      path: 'previous_response_id',
    },
  );
}

/** A list of items as it was kept. */
export function itemsOf(json: string): Fields[] {
  return JSON.parse(json) as Fields[];
}

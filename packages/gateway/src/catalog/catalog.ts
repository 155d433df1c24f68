/**
 * What is publicly known of a provider's models: prices and context windows, from a package that is kept up by others.
 * Read when a configuration is, and never after; it opens no connection.
 */
import type { Price } from '../cost.ts';

/** What is known of one model. */
export interface CatalogEntry {
  /** Names of provider and model, as the catalogue has them. */
  readonly provider: string;
  readonly model: string;
  /** Undefined where it charges for other things than tokens and requests. */
  readonly price: Price | undefined;
  /** Undefined where the catalogue does not say. */
  readonly contextTokens: number | undefined;
  /** Nothing is charged for what it writes: most likely it makes vectors. */
  readonly isInputOnly: boolean;
}

/** A source of such knowledge. */
export interface Catalog {
  /** As in `@pydantic/genai-prices@0.1.8`. */
  readonly version: string;
  /**
   * @param provider name or address of the API, e.g. `{ id: 'openai' }` or `{ url: 'https://api.openai.com/v1' }`
   * @param model the provider's own name of it
   * @returns undefined if provider or model are not known
   */
  find(provider: { readonly id: string } | { readonly url: string }, model: string): CatalogEntry | undefined;
}

/** Where an expert's settings came from that its configuration does not name. */
export interface CatalogOrigin {
  /** As in `@pydantic/genai-prices@0.1.8`. */
  readonly from: string;
  /** As in `openai/gpt-4o-mini`. */
  readonly model: string;
  /** Which settings. */
  readonly fields: readonly ('price' | 'contextTokens')[];
}

/** The addresses that providers use where the configuration names none. */
const USUAL_URLS: Readonly<Record<string, string>> = {
  anthropic: 'https://api.anthropic.com',
  gemini: 'https://generativelanguage.googleapis.com',
  openai: 'https://api.openai.com/v1',
};

/**
 * What a catalogue knows of an expert. A server at an unknown address stays unknown, whatever its model is called: it
 * may be anybody's.
 *
 * @param expert `catalog` as in the configuration: `PROVIDER/MODEL`, or false for nothing
 * @param open called only if there is something to look up
 */
export function knownOf(
  expert: {
    readonly provider: Readonly<Record<string, unknown>>;
    readonly catalog?: string | false | undefined;
  },
  open: () => Catalog,
): CatalogEntry | undefined {
  const { provider, catalog } = expert;
  if (catalog === false) return undefined;
  if (catalog !== undefined) {
    const slash = catalog.indexOf('/');
    return open().find({ id: catalog.slice(0, slash) }, catalog.slice(slash + 1));
  }
  const { use, model, baseUrl = USUAL_URLS[String(use)] } = provider;
  if (typeof baseUrl !== 'string' || typeof model !== 'string' || isLocal(baseUrl)) return undefined;
  return open().find({ url: baseUrl }, model);
}

/** Not worth opening a catalogue for. */
function isLocal(baseUrl: string): boolean {
  return !URL.canParse(baseUrl) || /^(localhost|127\.|\[::1\])/.test(new URL(baseUrl).host);
}

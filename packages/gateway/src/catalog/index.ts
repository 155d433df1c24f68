/** Catalogues of models. */
export { type Catalog, type CatalogEntry, type CatalogOrigin, knownOf } from './catalog.ts';
export { genaiPrices } from './genai-prices.ts';

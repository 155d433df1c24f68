export { bestOf } from './best-of.ts';
export { cheapestAbove } from './cheapest-above.ts';
export { leastLoaded } from './least-loaded.ts';
export { random } from './random.ts';
export { staticOrder as static } from './static.ts';
export { weighted } from './weighted.ts';

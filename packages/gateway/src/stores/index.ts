export { journal } from './journal.ts';
export { memory } from './memory.ts';

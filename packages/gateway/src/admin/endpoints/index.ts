/** Every endpoint of the admin listener. */
export { audit } from './audit.ts';
export { config } from './config.ts';
export { experts } from './experts.ts';
export { keys } from './keys.ts';
export { usage } from './usage.ts';

/** Every endpoint of the gateway's own listener. */
export { chat } from './chat.ts';
export { feedback } from './feedback.ts';
export { models } from './models.ts';
export { page } from './page.ts';
export { preferences } from './preferences.ts';
export { route } from './route.ts';
export { status } from './status.ts';
export { traces } from './traces.ts';

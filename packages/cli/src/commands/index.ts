export { check } from './check.ts';
export { init } from './init.ts';
export { route } from './route.ts';
export { sandbox } from './sandbox.ts';
export { schema } from './schema.ts';
export { serve } from './serve.ts';
export { trace } from './trace.ts';

/** Every target of the gateway comparison, in the order in which it takes turns. */
export { direct } from './direct.ts';
export { gatewright, gatewrightFull } from './gatewright.ts';
export { nginx } from './nginx.ts';
export { portkey } from './portkey.ts';

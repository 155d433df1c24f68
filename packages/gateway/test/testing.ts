/** What other packages' comparisons take from the tests: the scripted expert, the faults, a gateway on loopback. */
export { FAULT_CASES, type FaultCase } from './fault-cases.ts';
export { expertAt, startGateway, type TestGateway } from './helpers.ts';
export { type CountingExpert, countingExpert, type KillReport, killRound } from './kill-round.ts';
export { type Behaviour, closedPort, GOOD_TEXT, type Upstream, upstream } from './upstream.ts';

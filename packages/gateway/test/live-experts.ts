/** Experts at run time whose provider is never asked, for tests of what is decided before a call. */
import { checkConfig } from '../src/config/config.ts';
import type { LiveExpert } from '../src/experts.ts';
import { createRuntime, type Runtime } from '../src/pipeline.ts';
import { expertAt } from './helpers.ts';

/** A runtime of these experts; `config` may hold anything else of a configuration. */
export function runtimeOf(experts: readonly object[], config: object = {}, nowMs = 0): Runtime {
  const checked = checkConfig({
    version: 1,
    experts: experts.map((more, index) => expertAt(`e${index}`, 'http://127.0.0.1:1/v1', more)),
    ...config,
  });
  return createRuntime(checked, {}, nowMs);
}

/** The experts alone. */
export function liveExperts(experts: readonly object[]): readonly LiveExpert[] {
  return runtimeOf(experts).experts;
}

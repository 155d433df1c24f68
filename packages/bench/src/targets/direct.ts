/** No gateway at all: what the upstream and the generator cost on their own. Every "added" figure is against this. */
import { AUTHORIZATION, type Target } from './target.ts';

export function direct(): Target {
  return {
    name: 'direct',
    async start({ upstreamUrl }) {
      return {
        baseUrl: upstreamUrl,
        headers: AUTHORIZATION,
        modelName: 'mock-model',
        pids: [],
        about: 'the mock upstream itself',
        ending: () => undefined,
        stop: async () => {},
      };
    },
  };
}

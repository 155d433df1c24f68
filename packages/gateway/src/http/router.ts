/** From a path to its route. */
import type { Route } from '../endpoints/endpoint.ts';

/** A route and what stands for its `:name` parts. */
export interface FoundRoute {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** The routes of a listener. */
export interface Router {
  /** Every path, in the order in which they were given. */
  readonly paths: readonly string[];
  find(path: string): FoundRoute | undefined;
}

/** A path for a message: a part that could be a key is not repeated. */
export function shownPath(path: string): string {
  return path
    .slice(0, 200)
    .split('/')
    .map((part) => (/^[\w.-]{0,24}$/.test(part) ? part : '...'))
    .join('/');
}

/** Joins the routes of several endpoint files. A path without `:` comes before one with. */
export function createRouter(groups: readonly Readonly<Record<string, Route>>[]): Router {
  const exact = new Map<string, FoundRoute>();
  const patterns: { readonly parts: readonly string[]; readonly route: Route }[] = [];
  const paths: string[] = [];
  for (const group of groups) {
    for (const [path, route] of Object.entries(group)) {
      paths.push(path);
      if (path.includes('/:')) patterns.push({ parts: path.split('/'), route });
      else exact.set(path, { route, params: {} });
    }
  }
  return {
    paths,
    find(path) {
      const found = exact.get(path);
      if (found !== undefined) return found;
      const parts = path.split('/');
      for (const pattern of patterns) {
        if (pattern.parts.length !== parts.length) continue;
        const params: Record<string, string> = {};
        const matches = pattern.parts.every((part, index) => {
          if (!part.startsWith(':')) return part === parts[index];
          params[part.slice(1)] = parts[index]!;
          return true;
        });
        if (matches) return { route: pattern.route, params };
      }
      return undefined;
    },
  };
}

import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import { createGateway, type GatewayServer, memory, parseConfig, serve } from '../src/index.ts';

// The page shows prompts of strangers. What keeps them harmless is checked here without a browser.

let server: GatewayServer;
let response: Response;
let page: string;

before(async () => {
  const config = parseConfig(`
version: 1
server: { port: 0 }
experts:
  - id: nobody
    provider: { use: openai, baseUrl: "http://127.0.0.1:9/v1", model: none }
`);
  server = await serve(createGateway({ config, store: memory(), env: {} }), {});
  response = await fetch(`${server.url}/`);
  page = await response.text();
});
after(() => server.close(100));

test('the page is served as it stands in the file, as HTML that nobody sniffs', () => {
  assert.equal(response.status, 200);
  assert.equal(page, readFileSync(new URL('../src/page.html', import.meta.url), 'utf8'));
  assert.match(response.headers.get('content-type') ?? '', /^text\/html; charset=utf-8$/);
  assert.equal(response.headers.get('x-content-type-options'), 'nosniff');
});

test('only the one script of the page may run, and it may only talk to its own gateway', () => {
  const scripts = [...page.matchAll(/<script\b([^>]*)>([\s\S]*?)<\/script>/gi)];
  assert.equal(scripts.length, 1);
  assert.equal([...page.matchAll(/<\/?script/gi)].length, 2);
  const [, attributes, code] = scripts[0]!;
  assert.equal(attributes, '');
  const directives = new Map(
    (response.headers.get('content-security-policy') ?? '').split('; ').map((directive) => {
      const [name, ...values] = directive.split(' ');
      return [name, values.join(' ')];
    }),
  );
  const hash = createHash('sha256').update(code!).digest('base64');
  assert.equal(directives.get('script-src'), `'sha256-${hash}'`);
  assert.equal(directives.get('default-src'), "'none'");
  assert.equal(directives.get('connect-src'), "'self'");
  assert.equal(directives.get('base-uri'), "'none'");
  assert.equal(directives.get('form-action'), "'none'");
});

test('no handler stands in the markup: the policy would block it', () => {
  const markup = page.replace(/<script>[\s\S]*?<\/script>/, '');
  assert.doesNotMatch(markup, /<[^>]*\son[a-z]+\s*=/i);
  assert.doesNotMatch(markup, /javascript:/i);
});

test('the page needs nothing from elsewhere', () => {
  assert.doesNotMatch(page, /\b(?:https?|wss?|ftp):\/\//i);
  assert.doesNotMatch(page, /\b(?:src|href|action|poster)\s*=\s*["']?\s*\/\//i);
  assert.doesNotMatch(page, /@import|url\(/i);
  for (const [, target] of page.matchAll(
    /<(?:link|img|iframe|object|embed|base)\b[^>]*?(?:href|src|data)="([^"]*)"/gi,
  )) {
    assert.match(target!, /^data:image\//);
  }
});

test('text from the network can only become text', () => {
  assert.doesNotMatch(
    page,
    /innerHTML|outerHTML|insertAdjacentHTML|setHTML|document\.write|srcdoc|createContextualFragment|DOMParser|\beval\b|new Function/,
  );
});

test('a key is kept in the tab and nowhere else', () => {
  assert.doesNotMatch(page, /localStorage|document\.cookie|indexedDB/);
  assert.doesNotMatch(page, /EventSource/); // It cannot send an Authorization header.
});

test('every element that the script asks for by id is there, once', () => {
  const ids = [...page.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id!);
  assert.equal(new Set(ids).size, ids.length);
  const wanted = new Set([...page.matchAll(/\$\('([a-z-]+)'\)/g)].map(([, id]) => id!));
  assert.ok(wanted.size > 10);
  for (const id of wanted) assert.ok(ids.includes(id), `#${id}`);
});

test('the page stays small', () => {
  const bytes = Buffer.byteLength(page);
  assert.ok(bytes < 40_000, `${bytes} bytes`);
});

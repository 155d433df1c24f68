/** `GET /`: the page, one file without anything from elsewhere. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { send } from '../http/send.ts';
import { type Endpoints, open } from './endpoint.ts';

const PAGE = new URL('../page.html', import.meta.url);

/** The page. */
export const page: Endpoints = ({ gate }) => {
  const html = readFileSync(PAGE);
  const scriptHash = createHash('sha256')
    .update(inlineScript(html.toString('utf8')))
    .digest('base64');
  return {
    '/': open({
      GET: ({ response }) => {
        response.setHeader(
          'content-security-policy',
          `default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-${scriptHash}'; connect-src 'self'; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'none'`,
        );
        response.setHeader('x-content-type-options', 'nosniff');
        response.setHeader('referrer-policy', 'no-referrer');
        response.setHeader('x-gw-keyed', gate.isKeyed ? '1' : '0');
        send(response, 200, 'text/html; charset=utf-8', html);
      },
    }),
  };
};

function inlineScript(html: string): string {
  return /<script>([\s\S]*?)<\/script>/.exec(html)?.[1] ?? '';
}

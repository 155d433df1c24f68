/** nginx as a plain reverse proxy with one worker: what moving the bytes costs when nobody looks at them. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { freePort } from '../children.ts';
import { AUTHORIZATION, type Target } from './target.ts';

export function nginx(): Target {
  return {
    name: 'nginx',
    async start({ upstreamUrl, children, folder }) {
      const version = readVersion();
      const port = await freePort();
      const configFile = join(folder, 'nginx.conf');
      mkdirSync(join(folder, 'temp'));
      writeFileSync(configFile, config(new URL(upstreamUrl).host, port, folder));
      const child = await children.start('nginx', ['-p', folder, '-c', configFile, '-e', join(folder, 'error.log')]);
      await child.waitForUrl(`http://127.0.0.1:${port}/healthz`);
      return {
        baseUrl: `http://127.0.0.1:${port}/v1`,
        headers: AUTHORIZATION,
        modelName: 'mock-model',
        pids: [child.pid],
        about: `${version}, one worker, upstream connections kept alive, no buffering of answers, no logs`,
        ending: child.ending,
        stop: child.stop,
      };
    },
  };
}

/** @throws {Error} if there is no nginx on the PATH */
function readVersion(): string {
  try {
    // It prints its version to stderr.
    return /nginx\/\S+/.exec(execFileSync('sh', ['-c', 'nginx -v 2>&1'], { encoding: 'utf8' }))![0];
  } catch {
    throw new Error('there is no nginx on the PATH');
  }
}

function config(upstreamHost: string, port: number, folder: string): string {
  const temp = join(folder, 'temp');
  // `master_process off`: the one worker is the process itself, which also works for root without changing the user.
  return `daemon off;
master_process off;
worker_processes 1;
pid ${join(folder, 'nginx.pid')};
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${temp}/body;
  proxy_temp_path ${temp}/proxy;
  fastcgi_temp_path ${temp}/fastcgi;
  uwsgi_temp_path ${temp}/uwsgi;
  scgi_temp_path ${temp}/scgi;
  keepalive_requests 100000000;
  tcp_nodelay on;
  upstream mock { server ${upstreamHost}; keepalive 64; keepalive_requests 100000000; }
  server {
    listen 127.0.0.1:${port};
    location = /healthz { return 200 "ok"; }
    location / {
      proxy_pass http://mock;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_buffering off;
    }
  }
}
`;
}

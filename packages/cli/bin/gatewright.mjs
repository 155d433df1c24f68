#!/usr/bin/env node
// Starts the command on Node 24 or newer. Plain JavaScript, so that an older Node that happens
// to be first on the PATH can run it and hand over to the one installed with the project.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const main = join(dirname(fileURLToPath(import.meta.url)), '..', 'src', 'main.ts');
const args = ['--disable-warning=ExperimentalWarning', main, ...process.argv.slice(2)];

let node = process.execPath;
if (Number(process.versions.node.split('.')[0]) < 24) {
  node = join(dirname(fileURLToPath(import.meta.url)), '..', '..', '..', 'node_modules', 'node', 'bin', 'node');
  if (!existsSync(node)) {
    console.error(
      `gatewright needs Node.js 24 or newer; this is ${process.version}. Run \`npm ci\`, which brings one.`,
    );
    process.exit(1);
  }
}

const child = spawn(node, args, { stdio: 'inherit' });
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
child.on('exit', (code, signal) => {
  if (signal) process.kill(process.pid, signal);
  else process.exit(code ?? 1);
});

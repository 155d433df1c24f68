// Brings a clone to a state in which `npm start` and `npm test` can run: installs what is
// missing or stale, else returns at once. Plain JavaScript for Node 20: it runs before the
// Node 24 that the project brings with it (the npm package `node`) is there.
import { spawnSync } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const lock = join(root, 'package-lock.json');
const installed = join(root, 'node_modules', '.package-lock.json');
const node = join(root, 'node_modules', 'node', 'bin', 'node');

const isFresh = existsSync(installed) && existsSync(node) && statSync(installed).mtimeMs >= statSync(lock).mtimeMs;
if (!isFresh) {
  console.error('gatewright: installing dependencies (first run or lockfile changed) ...');
  // CI of a user may set NODE_ENV=production; the Node binary is a dev dependency.
  const { status, error } = spawnSync('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error'], {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    shell: process.platform === 'win32',
  });
  if (error || status !== 0) {
    console.error(
      `gatewright: \`npm ci\` failed (${error ? error.message : `exit code ${status}`}). ` +
        'Check the network and the npm registry setting, then run the command again.',
    );
    process.exit(1);
  }
}

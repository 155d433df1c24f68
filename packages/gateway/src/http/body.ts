/** The body of a request, with its limits. */
import type { IncomingMessage } from 'node:http';
import { GatewrightError } from '@gatewright/kernel';

/**
 * Reads a JSON body whole.
 *
 * @throws {GatewrightError} `GW_REQUEST_MEDIA`, `GW_REQUEST_TOO_LARGE`, `GW_CANCELLED`
 */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer> {
  // A web page can send text/plain across origins without asking; it cannot send JSON.
  const type = request.headers['content-type'] ?? '';
  if (!/^application\/json\b/i.test(type)) {
    throw new GatewrightError(
      'GW_REQUEST_MEDIA',
      `The body is ${type === '' ? 'of no declared type' : JSON.stringify(type.slice(0, 60))}.`,
      { fix: 'Send the header "content-type: application/json".' },
    );
  }
  const declared = Number(request.headers['content-length']);
  if (declared > maxBytes) throw tooLarge(maxBytes);
  const parts: Buffer[] = [];
  let bytes = 0;
  return new Promise((resolve, reject) => {
    request.on('data', (part: Buffer) => {
      bytes += part.length;
      if (bytes > maxBytes) {
        parts.length = 0;
        request.pause();
        reject(tooLarge(maxBytes));
      } else parts.push(part);
    });
    request.on('end', () => resolve(parts.length === 1 ? parts[0]! : Buffer.concat(parts)));
    const gone = (): void =>
      reject(
        new GatewrightError('GW_CANCELLED', 'The client went away while it sent its request.', {
          fix: 'Nothing to do.',
        }),
      );
    request.on('error', gone);
    request.on('close', () => {
      if (!request.complete) gone();
    });
  });
}

function tooLarge(maxBytes: number): GatewrightError {
  return new GatewrightError('GW_REQUEST_TOO_LARGE', `The body is larger than ${maxBytes} bytes.`, {
    fix: 'Send less, or raise server.maxBodyBytes.',
  });
}

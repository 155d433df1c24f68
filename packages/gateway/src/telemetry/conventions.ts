/** What the GenAI semantic conventions of OpenTelemetry call our experts. */
import type { Expert } from '../config/config.ts';

/** An expert in the words of the conventions. Everything comes from the configuration: few values, and no secret. */
export interface ConventionalExpert {
  /** `gen_ai.provider.name`: which wire format is spoken, not who runs the server. */
  readonly provider: string;
  /** `gen_ai.request.model`: the server's own name of it, else the expert's id. */
  readonly model: string;
  /** `server.address`; undefined where nothing leaves the process. */
  readonly address: string | undefined;
  /** `server.port`. */
  readonly port: number | undefined;
}

/** Names that the conventions have for providers that we call otherwise. */
const PROVIDERS: Readonly<Record<string, string>> = { gemini: 'gcp.gemini', google: 'gcp.gemini' };

/** Describes an expert. */
export function conventionalExpert({ id, provider }: Expert): ConventionalExpert {
  const { use, model, baseUrl } = provider as { use: string; model?: unknown; baseUrl?: unknown };
  const url = typeof baseUrl === 'string' && URL.canParse(baseUrl) ? new URL(baseUrl) : undefined;
  return {
    provider: PROVIDERS[use] ?? use,
    model: typeof model === 'string' && model !== '' ? model : id,
    address: url?.hostname,
    port: url === undefined ? undefined : Number(url.port) || (url.protocol === 'https:' ? 443 : 80),
  };
}

/** `gen_ai.operation.name` of every call that the gateway makes of an expert. */
export const OPERATION = 'chat';

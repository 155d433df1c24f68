/** Who asks: what the rest of the gateway may know of whoever holds a key. */

/** Money that may be spent in a window. */
export interface Budget {
  readonly usd: number;
  /** Calendar windows are UTC; `total` never comes back. */
  readonly window: 'hour' | 'day' | 'month' | 'total';
}

/** Limits of one account: a key, a user, a project. What is not named is not limited. */
export interface AccountLimits {
  readonly requestsPerMinute?: number;
  /** Prompt and completion tokens together. */
  readonly tokensPerMinute?: number;
  /** Requests under way at a time. */
  readonly concurrent?: number;
  readonly budgets?: readonly Budget[];
}

/** Whoever sends a request. Holds no secret. */
export interface Principal {
  /** Id of the virtual key (`key_...`), `static` for a key of the environment, `open` where no key is asked for. */
  readonly keyId: string;
  /** What people call the key. */
  readonly name: string;
  /** SHA-256 of the key, hex; empty where no key is asked for. */
  readonly keyDigest: string;
  /** Whose project pays, where the key belongs to one. */
  readonly project: string | undefined;
  /** The user that the key stands for; a request's own `user` counts where the key stands for nobody. */
  readonly user: string | undefined;
  /** `verifier`: feedback of source verifier or judge is taken as right. `admin`: may use the admin listener. */
  readonly roles: readonly ('use' | 'verifier' | 'admin')[];
  /** Names of modes and experts that it may ask for; undefined: all. */
  readonly models: readonly string[] | undefined;
  /** What it may do: `chat`, `embeddings`, `feedback`, `traces`, `usage`, ...; undefined: all. */
  readonly scopes: readonly string[] | undefined;
  readonly limits: AccountLimits;
}

/** Whoever asks where no key is asked for. */
export const ANYONE: Principal = {
  keyId: 'open',
  name: 'anyone',
  keyDigest: '',
  project: undefined,
  user: undefined,
  roles: ['use'],
  models: undefined,
  scopes: undefined,
  limits: {},
};

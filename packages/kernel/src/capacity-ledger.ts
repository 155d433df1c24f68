/**
 * What is left of every limited resource, reserved before it is used. A shadow price steers requests away from what is
 * scarce; this is what keeps the limit, whatever the requests do between a decision and its outcome.
 */
import { GatewrightError, OptionError } from './errors.ts';
import { numberOption } from './options.ts';

/** A limit of one resource: calls at a time, starts per minute, money per hour or in all. */
export interface ResourceLimit {
  /** Most of it that may be in use, in the resource's own unit, 0 or more. */
  readonly capacity: number;
  /** `held` while a reservation is open (calls under way), or `spent` for good (money, starts). */
  readonly use: 'held' | 'spent';
  /** After how many milliseconds what was spent comes back. Default: never. */
  readonly periodMs?: number;
  /** What was spent comes back, all at once, at the next full hour, day or month of UTC. Not together with `periodMs`. */
  readonly calendar?: CalendarWindow;
}

/** A stretch of the calendar, UTC. */
export type CalendarWindow = 'hour' | 'day' | 'month';

/** Resource -> amount, 0 or more. */
export type Amounts = Readonly<Record<string, number>>;

/** Keeps several limits together. Every method is synchronous: nothing can come between a check and its booking. */
export interface CapacityLedger {
  /**
   * Reserves all the amounts, or nothing.
   *
   * @param amounts the most that the use may come to: the guarantee is as good as this bound
   * @returns the reservation, or undefined where one of the resources has not enough left
   * @throws {OptionError} if a resource is unknown or an amount negative or not finite
   */
  reserve(amounts: Amounts, nowMs: number): number | undefined;
  /**
   * Closes a reservation with what was really used. What was reserved beyond it is free again; what was `held` is free
   * in any case. More than was reserved is booked too, since it is used: then a resource may be overdrawn, and is
   * closed until it is no more.
   *
   * @param actual resources that are left out were used as reserved
   * @throws {GatewrightError} `GW_RESERVATION` if it is not open; `OptionError` as for `reserve`
   */
  settle(reservation: number, actual?: Amounts): void;
  /**
   * Closes a reservation of which nothing was used.
   *
   * @throws {GatewrightError} `GW_RESERVATION` if it is not open
   */
  release(reservation: number): void;
  /** Books what was used without having been reserved. A resource may be overdrawn by it, and is closed until it is no more. */
  book(amounts: Amounts, nowMs: number): void;
  /** How much of a resource is used or reserved. */
  used(resource: string, nowMs: number): number;
  /** The first resource that has too little left for these amounts; undefined where they could be reserved. */
  lacking(amounts: Amounts, nowMs: number): string | undefined;
  /**
   * Sets the limit of a resource, a new one or one that is known. What is used of a known one stays so, unless the
   * limit is of another kind: then, as for a new one, `spent` is what is used already.
   *
   * @throws {OptionError} as for `capacityLedger`
   */
  limit(resource: string, limit: ResourceLimit, nowMs: number, spent?: number): void;
  /** Forgets a resource. Open reservations of it are settled into nothing. */
  forget(resource: string): void;
  /**
   * When, if nothing else is reserved, `amount` of it would be free, milliseconds since 1970; undefined where time alone
   * does not free it.
   */
  freeAtMs(resource: string, amount: number, nowMs: number): number | undefined;
  /** How many reservations are open. */
  readonly open: number;
}

const HOUR_MS = 3_600_000;
const DAY_MS = 86_400_000;
/** Days of 400 years of the Gregorian calendar. */
const ERA_DAYS = 146_097;
/** Days from 1 March of the year 0 to 1 January 1970. */
const MARCH_0_TO_1970 = 719_468;

/** Sums of fractions are not exact: ten times 0.03 is within 0.3, and a million bookings drift by less than this. */
const ROUNDING = 1 + 1e-9;

/** Parts of a period: what was spent comes back a part at a time, at most a 60th of the period late, never early. */
const PARTS = 60;

interface Account {
  limit: ResourceLimit;
  /** `[PARTS + 1]` a ring of amounts by part of the period; `[1]` where nothing comes back, or all of it at once. */
  readonly spent: Float64Array;
  /** Number of the newest part, since time 0. */
  newest: number;
}

/**
 * A ledger over named resources. A resource without limit need not be named.
 *
 * In any stretch of `periodMs`, the amounts reserved in it and not freed never exceed `capacity` (but for rounding, a
 * billionth of it), as long as
 * no use comes to more than was reserved for it.
 *
 * @param limits resource -> its limit
 * @throws {OptionError} if a capacity is negative or not finite, or a period not above 0
 */
export function capacityLedger(limits: Readonly<Record<string, ResourceLimit>>): CapacityLedger {
  const accounts = new Map(Object.entries(limits).map(([name, limit]) => [name, accountOf(name, limit)]));
  const reservations = new Map<number, readonly Booking[]>();
  let last = 0;

  const bookingsOf = (reservation: number): readonly Booking[] => {
    const bookings = reservations.get(reservation);
    if (bookings !== undefined) return bookings;
    throw new GatewrightError('GW_RESERVATION', `Reservation ${reservation} is not open.`, {
      fix: 'Settle or release each reservation once, and only one that reserve gave.',
    });
  };

  return {
    reserve(amounts, nowMs) {
      const wanted = Object.entries(amounts).map(([name, amount]) => ({
        account: known(accounts, name),
        amount: numberOption(`amounts.${name}`, amount, { min: 0 }, 'Reserve the most that the use may come to.'),
        name,
      }));
      for (const { account, amount } of wanted) if (!fits(account, amount, nowMs)) return undefined;
      last += 1;
      reservations.set(
        last,
        wanted.map(({ account, amount, name }) => {
          add(account, account.newest, amount);
          return { name, account, part: account.newest, amount };
        }),
      );
      return last;
    },
    settle(reservation, actual = {}) {
      const bookings = bookingsOf(reservation);
      for (const [name, amount] of Object.entries(actual)) {
        numberOption(`actual.${name}`, amount, { min: 0 }, 'Say what was really used.');
        if (!bookings.some((booking) => booking.name === name))
          throw new OptionError(`actual.${name}`, 'a resource of the reservation', amount, 'Reserve it beforehand.');
      }
      reservations.delete(reservation);
      for (const { name, account, part, amount } of bookings) {
        const used = account.limit.use === 'held' ? 0 : Object.hasOwn(actual, name) ? actual[name]! : amount;
        add(account, part, used - amount);
      }
    },
    release(reservation) {
      const bookings = bookingsOf(reservation);
      reservations.delete(reservation);
      for (const { account, part, amount } of bookings) add(account, part, -amount);
    },
    book(amounts, nowMs) {
      for (const [name, amount] of Object.entries(amounts)) {
        const account = known(accounts, name);
        advance(account, nowMs);
        if (account.limit.use === 'spent')
          add(account, account.newest, numberOption(`amounts.${name}`, amount, { min: 0 }, 'Say what was used.'));
      }
    },
    used(resource, nowMs) {
      const account = known(accounts, resource);
      advance(account, nowMs);
      return total(account);
    },
    lacking(amounts, nowMs) {
      for (const name in amounts) if (!fits(known(accounts, name), amounts[name]!, nowMs)) return name;
      return undefined;
    },
    limit(resource, limit, nowMs, spent = 0) {
      const account = accountOf(resource, limit);
      const before = accounts.get(resource);
      if (before !== undefined && isSameKind(before.limit, limit)) {
        before.limit = limit;
        return;
      }
      numberOption('spent', spent, { min: 0 }, 'Say what is used already.');
      advance(account, nowMs);
      add(account, account.newest, spent);
      accounts.set(resource, account);
    },
    forget: (resource) => void accounts.delete(resource),
    freeAtMs(resource, amount, nowMs) {
      const account = known(accounts, resource);
      advance(account, nowMs);
      return freeAtMs(account, amount, nowMs);
    },
    get open() {
      return reservations.size;
    },
  };
}

interface Booking {
  readonly name: string;
  readonly account: Account;
  readonly part: number;
  readonly amount: number;
}

function accountOf(name: string, limit: ResourceLimit): Account {
  numberOption(`${name}.capacity`, limit.capacity, { min: 0 }, 'Leave the resource out if it has no limit.');
  if (limit.use !== 'held' && limit.use !== 'spent')
    throw new OptionError(`${name}.use`, '"held" or "spent"', limit.use, 'Calls are held, money and starts are spent.');
  if (limit.calendar !== undefined && !Object.hasOwn(WINDOW_OF, limit.calendar))
    throw new OptionError(`${name}.calendar`, '"hour", "day" or "month"', limit.calendar, 'Leave it out for "never".');
  if (limit.calendar !== undefined && limit.periodMs !== undefined)
    throw new OptionError(`${name}.periodMs`, 'left out beside calendar', limit.periodMs, 'Choose one of them.');
  const comesBack = limit.use === 'spent' && limit.periodMs !== undefined;
  if (limit.periodMs !== undefined && !(limit.periodMs > 0 && limit.periodMs < Infinity))
    throw new OptionError(`${name}.periodMs`, 'a finite number above 0', limit.periodMs, 'Leave it out for "never".');
  return { limit, spent: new Float64Array(comesBack ? PARTS + 1 : 1), newest: 0 };
}

function known(accounts: ReadonlyMap<string, Account>, name: string): Account {
  const account = accounts.get(name);
  if (account !== undefined) return account;
  throw new OptionError('resource', `one of ${[...accounts.keys()].join(', ')}`, name, 'Give the ledger its limit.');
}

function fits(account: Account, amount: number, nowMs: number): boolean {
  advance(account, nowMs);
  return total(account) + amount <= account.limit.capacity * ROUNDING;
}

/** Number of the window of the calendar that a time falls into, since 1970. */
const WINDOW_OF: Readonly<Record<CalendarWindow, (nowMs: number) => number>> = {
  hour: (nowMs) => Math.floor(nowMs / HOUR_MS),
  day: (nowMs) => Math.floor(nowMs / DAY_MS),
  month: monthOf,
};

/**
 * When a window of the calendar began, milliseconds since 1970.
 *
 * @param later 1 for the beginning of the next one
 */
export function calendarStartMs(window: CalendarWindow, nowMs: number, later: 0 | 1 = 0): number {
  const number = WINDOW_OF[window](nowMs) + later;
  if (window === 'month') return monthStartMs(number);
  return number * (window === 'hour' ? HOUR_MS : DAY_MS);
}

/**
 * Months since January 1970, by arithmetic alone: the kernel has no calendar. Counted in years that begin in March, so that
 * the leap day is the last one.
 */
function monthOf(nowMs: number): number {
  const day = Math.floor(nowMs / DAY_MS) + MARCH_0_TO_1970;
  const era = Math.floor(day / ERA_DAYS);
  const ofEra = day - era * ERA_DAYS;
  const year = Math.floor(
    (ofEra - Math.floor(ofEra / 1_460) + Math.floor(ofEra / 36_524) - Math.floor(ofEra / 146_096)) / 365,
  );
  const ofYear = ofEra - (365 * year + Math.floor(year / 4) - Math.floor(year / 100));
  // From March on, five months are 153 days, over and over.
  const month = Math.floor((5 * ofYear + 2) / 153);
  return (era * 400 + year - 1970) * 12 + month + 2;
}

/** When a month began, by its number. */
function monthStartMs(number: number): number {
  const sinceMarch = number - 2 + 1970 * 12;
  const year = Math.floor(sinceMarch / 12);
  const month = sinceMarch - year * 12;
  const days = 365 * year + Math.floor(year / 4) - Math.floor(year / 100) + Math.floor(year / 400);
  return (days + Math.floor((153 * month + 2) / 5) - MARCH_0_TO_1970) * DAY_MS;
}

function isSameKind(one: ResourceLimit, other: ResourceLimit): boolean {
  return one.use === other.use && one.periodMs === other.periodMs && one.calendar === other.calendar;
}

function freeAtMs({ limit, spent, newest }: Account, amount: number, nowMs: number): number | undefined {
  let missing = -limit.capacity + amount;
  for (const part of spent) missing += part;
  if (missing <= 0) return nowMs;
  if (limit.use === 'held' || amount > limit.capacity) return undefined;
  if (limit.calendar !== undefined) return calendarStartMs(limit.calendar, nowMs, 1);
  if (spent.length === 1) return undefined;
  // Oldest part first: each comes back when the period after its end is over.
  for (let part = newest - spent.length + 1; part <= newest; part++) {
    if (part >= 0) missing -= spent[part % spent.length]!;
    // Rounding may leave a trace of what is missing: then all of it has to come back.
    if (missing <= 0 || part === newest) return Math.ceil(((part + spent.length) * limit.periodMs!) / PARTS);
  }
  return undefined;
}

/**
 * Forgets the parts of the period that are over. A clock that steps back changes nothing, unless it is by more than the whole
 * period: then what is used counts from the new time on, or it would not come back before the old one.
 */
function advance(account: Account, nowMs: number): void {
  const { spent, limit } = account;
  if (spent.length === 1 && limit.calendar === undefined) return;
  const part =
    limit.calendar === undefined ? Math.floor((nowMs / limit.periodMs!) * PARTS) : WINDOW_OF[limit.calendar](nowMs);
  if (part < account.newest - spent.length) {
    const used = total(account);
    spent.fill(0);
    spent[Math.max(0, part) % spent.length] = used;
    account.newest = Math.max(0, part);
    return;
  }
  if (!(part > account.newest)) return;
  if (part - account.newest >= spent.length) spent.fill(0);
  else for (let passed = account.newest + 1; passed <= part; passed++) spent[passed % spent.length] = 0;
  account.newest = part;
}

/** Adds to a part of the period, unless that is over. One that lies in the future was booked before the clock was set back. */
function add(account: Account, part: number, amount: number): void {
  const { spent, newest } = account;
  if (newest - part >= spent.length) return;
  const at = Math.min(part, newest) % spent.length;
  // Rounding of sums and differences must not leave less than nothing.
  spent[at] = Math.max(0, spent[at]! + amount);
}

function total({ spent }: Account): number {
  let sum = 0;
  for (const amount of spent) sum += amount;
  return sum;
}

/**
 * The way to the feed: a WebSocket with a ticket, said again before it runs out, tried again with
 * growing pauses when it breaks; and where there is none, or it is refused, the list of deliveries,
 * looked at every few seconds.
 */

import {
  type Attempt,
  attemptsOf,
  type FeedFilter,
  type ListedDelivery,
  wireFilter,
} from "./attempts";

export type FeedMode = "connecting" | "live" | "polling" | "resting";

export interface FeedState {
  mode: FeedMode;
  /** Why it is not live, where it is not. */
  why: string;
}

export interface Ticket {
  url: string;
  ticket: string;
}

/** A call of the API that was answered with an error. */
export interface Refusal {
  status: number;
}

export interface FeedPorts {
  ticket(): Promise<Ticket>;
  deliveries(filter: FeedFilter): Promise<ListedDelivery[]>;
  onState(state: FeedState): void;
  onAttempts(attempts: Attempt[], leftOut: number): void;
  socket?(url: string): WebSocket;
}

/** Between two looks at the list. */
const POLL_MS = 3_000;
/** The first pause before it is tried again, and the longest. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;
/** Broken connections after which the list is looked at meanwhile. */
const POLL_AFTER = 2;
/** Without an answer to `watch` a socket is taken for broken. */
const ANSWER_WITHIN_MS = 10_000;

export class FeedConnection {
  private socket: WebSocket | undefined;
  private timers = new Set<ReturnType<typeof setTimeout>>();
  private failures = 0;
  private polling: ReturnType<typeof setTimeout> | undefined;
  private isStopped = false;
  private isResting = false;

  constructor(
    private readonly ports: FeedPorts,
    private filter: FeedFilter,
  ) {}

  start(): void {
    this.tell("connecting", "");
    void this.connect();
  }

  stop(): void {
    this.isStopped = true;
    this.close();
    this.stopPolling();
  }

  /** Nobody looks: what is not renewed ends by itself, and nothing is paid for. */
  rest(): void {
    if (this.isStopped || this.isResting) return;
    this.isResting = true;
    this.close();
    this.stopPolling();
    this.tell("resting", "paused while the page is hidden");
  }

  wake(): void {
    if (this.isStopped || !this.isResting) return;
    this.isResting = false;
    this.failures = 0;
    this.start();
  }

  setFilter(filter: FeedFilter): void {
    this.filter = filter;
    if (this.socket?.readyState === WebSocket.OPEN) void this.watch(this.socket);
  }

  private get isOff(): boolean {
    return this.isStopped || this.isResting;
  }

  private tell(mode: FeedMode, why: string): void {
    this.ports.onState({ mode, why });
  }

  private later(run: () => void, ms: number): void {
    const timer = setTimeout(() => {
      this.timers.delete(timer);
      run();
    }, ms);
    this.timers.add(timer);
  }

  private close(): void {
    for (const timer of this.timers) clearTimeout(timer);
    this.timers.clear();
    const socket = this.socket;
    this.socket = undefined;
    socket?.close();
  }

  private async connect(): Promise<void> {
    if (this.isOff) return;
    let made: Ticket;
    try {
      made = await this.ports.ticket();
    } catch (error) {
      const status = (error as Partial<Refusal>).status ?? 0;
      if (status === 404) return this.pollForGood("this deployment has no live feed");
      if (status === 401 || status === 403) return this.pollForGood("this key may not watch");
      return this.broke("the API does not answer");
    }
    if (this.isOff) return;
    const url = `${made.url}?ticket=${encodeURIComponent(made.ticket)}`;
    let socket: WebSocket;
    try {
      socket = this.ports.socket?.(url) ?? new WebSocket(url);
    } catch {
      return this.pollForGood("the browser does not allow the connection");
    }
    this.socket = socket;
    socket.onopen = () => this.say(socket, made.ticket);
    socket.onmessage = (message) => this.heard(socket, String(message.data));
    socket.onclose = () => {
      if (this.socket !== socket) return;
      this.close();
      this.broke("the connection broke");
    };
    this.later(() => {
      if (this.socket === socket && socket.readyState !== WebSocket.OPEN) socket.close();
    }, ANSWER_WITHIN_MS);
  }

  private say(socket: WebSocket, ticket: string): void {
    socket.send(JSON.stringify({ action: "watch", ticket, filter: wireFilter(this.filter) }));
  }

  /** Says what to watch with a fresh ticket. */
  private async watch(socket: WebSocket): Promise<void> {
    try {
      const made = await this.ports.ticket();
      if (this.socket === socket && socket.readyState === WebSocket.OPEN) {
        this.say(socket, made.ticket);
      }
    } catch {
      if (this.socket === socket) socket.close();
    }
  }

  private heard(socket: WebSocket, text: string): void {
    if (this.socket !== socket) return;
    const told = JSON.parse(text) as {
      type?: string;
      attempts?: Attempt[];
      left_out?: number;
      renew_in_seconds?: number;
      reason?: string;
      detail?: string;
    };
    if (told.type === "attempts") {
      this.ports.onAttempts(told.attempts ?? [], told.left_out ?? 0);
    } else if (told.type === "watching") {
      this.failures = 0;
      this.stopPolling();
      this.tell("live", "");
      const seconds = told.renew_in_seconds ?? 45;
      this.later(() => {
        if (this.socket === socket) void this.watch(socket);
      }, seconds * 1000);
    } else if (told.type === "refused" && told.reason === "full") {
      this.close();
      this.pollForGood(told.detail ?? "too many watch already");
    } else {
      // Whatever it is, a new connection starts anew.
      socket.close();
    }
  }

  private broke(why: string): void {
    if (this.isOff) return;
    this.failures += 1;
    const pause = Math.min(FIRST_PAUSE_MS * 2 ** (this.failures - 1), LONGEST_PAUSE_MS);
    this.later(() => void this.connect(), pause * (0.75 + Math.random() / 2));
    if (this.failures >= POLL_AFTER) this.poll(`${why}; trying again`);
    else if (!this.polling) this.tell("connecting", why);
  }

  /** Looks at the list from now on, and tries a socket again once in a while. */
  private pollForGood(why: string): void {
    this.poll(why);
    this.later(() => void this.connect(), 10 * LONGEST_PAUSE_MS);
  }

  private poll(why: string): void {
    this.tell("polling", why);
    if (this.polling) return;
    const look = async () => {
      try {
        const listed = await this.ports.deliveries(this.filter);
        if (!this.isOff) this.ports.onAttempts(attemptsOf(listed), 0);
      } catch {
        // The next look may see more.
      }
      if (this.polling) this.polling = setTimeout(() => void look(), POLL_MS);
    };
    this.polling = setTimeout(() => void look(), 0);
  }

  private stopPolling(): void {
    clearTimeout(this.polling);
    this.polling = undefined;
  }
}

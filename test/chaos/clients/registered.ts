// What a process registered last under each id, for registering it again unchanged. Of the newest ids only.

export interface Registered {
  readonly service: string;
  readonly ttlMs: number;
  readonly mark: string;
}

const KEPT = 64;

export class LastRegistered {
  readonly #byId = new Map<string, Registered>();

  get(instanceId: string): Registered | undefined {
    return this.#byId.get(instanceId);
  }

  keep(instanceId: string, registered: Registered): void {
    this.#byId.delete(instanceId);
    this.#byId.set(instanceId, registered);
    if (this.#byId.size <= KEPT) return;
    for (const oldest of this.#byId.keys()) {
      this.#byId.delete(oldest);
      return;
    }
  }
}

// Readers by what they want to see. All readers of one selector are one audience; audiences are found by the services
// of a change, so that a change costs nothing for readers of other services.
import type { ChangeGroup, Selector } from '../registry/index.ts';
import { canonicalSelector } from '../registry/index.ts';
import { digestOf } from './watch-token.ts';

/** All readers with one selector; `R` is the reader. What is encoded for one is encoded for all of them. */
export interface Audience<R> {
  readonly selector: Selector;
  readonly canonical: string;
  readonly digest: Uint8Array;
  readonly readers: Set<R>;
}

const ANY = '*';

export class AudienceIndex<R> {
  readonly #byCanonical = new Map<string, Audience<R>>();
  // Keys are `namespace/service`, either of which may be ANY: neither name can hold a slash or an asterisk.
  readonly #byService = new Map<string, Set<Audience<R>>>();

  /** The audience of this selector, new when there was none. A reader belongs to it from `join` on. */
  of(selector: Selector): Audience<R> {
    const canonical = canonicalSelector(selector);
    const digest = digestOf(canonical);
    return (
      this.#byCanonical.get(canonical) ?? { selector, canonical, digest, readers: new Set<R>() }
    );
  }

  join(audience: Audience<R>, reader: R): void {
    audience.readers.add(reader);
    if (this.#byCanonical.has(audience.canonical)) return;
    this.#byCanonical.set(audience.canonical, audience);
    for (const key of keysOf(audience.selector)) {
      const audiences = this.#byService.get(key);
      if (audiences === undefined) this.#byService.set(key, new Set([audience]));
      else audiences.add(audience);
    }
  }

  leave(audience: Audience<R>, reader: R): void {
    audience.readers.delete(reader);
    if (audience.readers.size > 0) return;
    this.#byCanonical.delete(audience.canonical);
    for (const key of keysOf(audience.selector)) {
      const audiences = this.#byService.get(key);
      audiences?.delete(audience);
      if (audiences?.size === 0) this.#byService.delete(key);
    }
  }

  /** Every audience that reads a service of this group: those with a change to see are among them. */
  near(group: ChangeGroup): Set<Audience<R>> {
    const found = new Set<Audience<R>>();
    for (const { before, after } of group.changes) {
      if (before !== undefined) this.#collect(before.namespace, before.serviceName, found);
      if (after !== undefined && after.serviceName !== before?.serviceName) {
        this.#collect(after.namespace, after.serviceName, found);
      }
    }
    return found;
  }

  #collect(namespace: string, serviceName: string, found: Set<Audience<R>>): void {
    for (const inNamespace of [namespace, ANY]) {
      for (const inService of [serviceName, ANY]) {
        const audiences = this.#byService.get(`${inNamespace}/${inService}`);
        if (audiences !== undefined) for (const audience of audiences) found.add(audience);
      }
    }
  }
}

function keysOf({ namespace, services }: Selector): readonly string[] {
  const names = services.length === 0 ? [ANY] : services;
  return names.map((service) => `${namespace}/${service}`);
}

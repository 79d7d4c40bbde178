// A write of a client as it is decided on, before anybody knows what comes of it, and what it does to the values that a
// search follows. Of the simulated clients and of those in processes alike.
import type { Lifecycle } from '../../src/registry/index.ts';
import type { WriteEffect } from '../checkers/history.ts';
import type { NamedGeneration } from './known-generations.ts';

interface WriteStyle {
  /** Carries a request id, is tried again while its outcome is unknown, and once more after it is known. */
  readonly retries: boolean;
}

export type WriteAction =
  | ({
      readonly kind: 'register';
      readonly ids: readonly string[];
      readonly service: string;
      readonly ttlMs: number;
      readonly generation: NamedGeneration;
    } & WriteStyle)
  | ({
      readonly kind: 'deregister';
      readonly id: string;
      readonly generation: NamedGeneration;
    } & WriteStyle)
  | ({
      readonly kind: 'setStatus';
      readonly id: string;
      readonly generation: NamedGeneration;
      /** One of the two is set. */
      readonly lifecycle: Lifecycle | undefined;
      readonly maintenance: boolean | undefined;
    } & WriteStyle);

/** Longer leases outlive a run. */
export const mayExpire = (ttlMs: number): boolean => ttlMs > 0 && ttlMs < 60_000;

export const idsOf = (action: WriteAction): readonly string[] =>
  action.kind === 'register' ? action.ids : [action.id];

/** `existed`: of the answer to a deregistration, undefined without one. */
export function effectOf(
  action: WriteAction,
  mark: string,
  existed: boolean | undefined,
): WriteEffect {
  switch (action.kind) {
    case 'register':
      return { kind: 'put', mark, lifecycle: 'serving', mayExpire: mayExpire(action.ttlMs) };
    case 'deregister':
      return { kind: 'remove', existed };
    case 'setStatus':
      return action.lifecycle === undefined
        ? { kind: 'maintenance', on: action.maintenance === true }
        : { kind: 'lifecycle', lifecycle: action.lifecycle };
  }
}

// The process's one logger; every component gets a child of it. Events are short messages with fields, so that they can
// be searched; nothing in raft/ or registry/ logs.
import { type Logger, type LoggerOptions as LoggerOptionsOfPino, pino } from 'pino';
import pretty from 'pino-pretty';

export type { Logger } from 'pino';
type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal' | 'silent';

export interface LoggerOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'pretty';
  /** File descriptor to write to: 1 in production. */
  readonly descriptor: number;
}

export interface ProcessLogger {
  readonly log: Logger;
  /** Writes out what is buffered before it returns; call it before the process ends. Never throws. */
  readonly flush: () => void;
}

/** Bytes that may wait for a reader that does not keep up; beyond, lines are dropped rather than memory filled. */
const MAX_BUFFERED_BYTES = 4 << 20;

/** Lines wait until they are so many bytes, or for so long after the first of them. */
const WRITE_BYTES = 4096;
const WRITE_AFTER_MS = 20;

const PRETTY = {
  colorize: true,
  singleLine: true,
  ignore: 'component,event',
  messageFormat: '{if component}{component}: {end}{if event}{event} {end}{msg}',
  translateTime: 'HH:MM:ss.l',
};

export function createLogger({ level, format, descriptor }: LoggerOptions): ProcessLogger {
  // Asynchronous, so that a reader who stalls never stalls the loop. Lines wait for a moment, so that the last ones before an
  // end are still here to be written at once by `flush`, which cannot wait for a write that is under way.
  const destination = pino.destination({
    dest: descriptor,
    sync: false,
    minLength: WRITE_BYTES,
    maxLength: MAX_BUFFERED_BYTES,
  });
  const stream = format === 'pretty' ? pretty({ destination, ...PRETTY }) : destination;
  const timestamp = pino.stdTimeFunctions.isoTime;
  const serializers = errorSerializer();
  const hooks = thenSoon(() => destination.flush());
  const log = pino({ level, base: null, timestamp, serializers, hooks }, stream);
  const flush = (): void => {
    try {
      destination.flushSync();
    } catch {
      // The reader is gone; there is nobody left to tell.
    }
  };
  return { log, flush };
}

/** Calls `write` a moment after a line, once for all that come until then; an idle process is not woken for it. */
function thenSoon(write: () => void): NonNullable<LoggerOptionsOfPino['hooks']> {
  let due = false;
  const act = (): void => {
    due = false;
    write();
  };
  return {
    logMethod(args, method) {
      method.apply(this, args);
      if (due) return;
      due = true;
      setTimeout(act, WRITE_AFTER_MS);
    },
  };
}

/** With --enable-source-maps, stacks are from here on mapped to the source when they are written, and only then. grpc-js takes
 * the stack of every call that fails, and the first one mapped costs tens of milliseconds: the survivors of a leader would
 * spend them between its death and their election. */
function errorSerializer(): { readonly err?: (error: Error) => object } {
  if (!process.sourceMapsEnabled) return {};
  process.setSourceMapsEnabled(false);
  return {
    err(error) {
      process.setSourceMapsEnabled(true);
      const serialized = pino.stdSerializers.err(error);
      process.setSourceMapsEnabled(false);
      return serialized;
    },
  };
}

/** A child whose lines carry the name of the component they come from. */
export function componentLogger(log: Logger, component: string): Logger {
  return log.child({ component });
}

// The process's one logger; every component gets a child of it. Events are short messages with fields, so that they can
// be searched; nothing in raft/ or registry/ logs.
import { type Logger, pino } from 'pino';
import { prettyFactory } from 'pino-pretty';
import { LogWriter } from './log-writer.ts';

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
  /** To be called before the process ends: nothing logged so far is lost then. Never throws. */
  readonly flush: () => void;
}

/** Bytes that may wait for a reader that does not keep up; beyond, lines are dropped rather than memory filled. */
const MAX_BUFFERED_BYTES = 4 << 20;

const PRETTY = {
  colorize: true,
  singleLine: true,
  ignore: 'component,event',
  messageFormat: '{if component}{component}: {end}{if event}{event} {end}{msg}',
  translateTime: 'HH:MM:ss.l',
};

export function createLogger({ level, format, descriptor }: LoggerOptions): ProcessLogger {
  const writer = new LogWriter({
    descriptor,
    maxWaitingBytes: MAX_BUFFERED_BYTES,
    onDropped: (lines) => log.warn({ event: 'log_lines_dropped', lines }),
  });
  const forPeople = prettyFactory(PRETTY);
  const stream =
    format === 'pretty' ? { write: (line: string) => writer.write(forPeople(line)) } : writer;
  const timestamp = pino.stdTimeFunctions.isoTime;
  const log = pino({ level, base: null, timestamp, serializers: errorSerializer() }, stream);
  return { log, flush: () => writer.flush() };
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

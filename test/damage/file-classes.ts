// Every kind of file that a node's data-dir may hold. A name that no kind claims fails the run: whoever adds a file says here
// what its loss means.

/** What is damaged: one file of a kind, or a directory as a whole. */
export const fileClasses = [
  'identity',
  'lock',
  'disk-mark',
  'segment-oldest',
  'segment-written',
  'segment-spare',
  'segment-preparing',
  'wal-directory',
  'state-log',
  'state-table',
  'state-manifest',
  'state-current',
  'state-lock',
  'state-info',
  'state-directory',
  'staged',
  'sealed-marker',
  'sealed-content',
  'sealed-directory',
  'former-state',
] as const;
export type FileClass = (typeof fileClasses)[number];

/** `passing`: there for moments only, and of no use to whoever finds it. `segment`: which one it is shows its content. */
type Claim = FileClass | 'segment' | 'passing';

const leveldb: readonly (readonly [RegExp, FileClass])[] = [
  [/^\d{6,}\.log$/, 'state-log'],
  [/^\d{6,}\.(ldb|sst)$/, 'state-table'],
  [/^MANIFEST-\d{6,}$/, 'state-manifest'],
  [/^CURRENT$/, 'state-current'],
  [/^LOCK$/, 'state-lock'],
  [/^LOG(\.old)?$/, 'state-info'],
];

function claimOfState(name: string): Claim | undefined {
  if (/^\d{6,}\.dbtmp$/.test(name)) return 'passing';
  return leveldb.find(([pattern]) => pattern.test(name))?.[1];
}

/** `path`: relative to the data-dir. */
export function claimOf(path: string): Claim | undefined {
  const [top = '', name, ...deeper] = path.split('/');
  // What a node that lost its log keeps until it has its place again.
  if (top === 'damaged-log' && name !== undefined) return 'passing';
  if (deeper.length > 0) return undefined;
  if (name === undefined) {
    if (top === 'identity.json') return 'identity';
    if (/^lock-[0-9a-f]{16}\.sock$/.test(top)) return 'lock';
    if (top === 'disk-error.json') return 'disk-mark';
    if (top === 'state.sealed') return 'sealed-marker';
    if (top === 'identity.json.tmp' || top === 'state.sealed.tmp') return 'passing';
    return undefined;
  }
  switch (top) {
    case 'wal':
      if (/^\d{10}\.wal$/.test(name)) return 'segment';
      return /^\d{10}\.wal\.preparing$/.test(name) ? 'segment-preparing' : undefined;
    case 'state':
      return claimOfState(name);
    case 'state.incoming':
      return claimOfState(name) === undefined ? undefined : 'staged';
    case 'state.old':
      return claimOfState(name) === undefined ? undefined : 'former-state';
    default:
      return undefined;
  }
}

/** Throws for a name that no kind claims. */
export function checkKnown(paths: readonly string[]): void {
  const unknown = paths.filter((path) => claimOf(path) === undefined);
  if (unknown.length === 0) return;
  throw new Error(
    `unknown in a data-dir: ${unknown.join(', ')}; say in test/damage/file-classes.ts what it is and in expectations.ts what its damage means`,
  );
}

// Finds and loads the .proto files, which are read at run time. They lie at the root of the package, above src/rpc,
// dist/rpc and build/src/rpc alike, so the search walks up from this file.
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type PackageDefinition, loadSync } from '@grpc/proto-loader';

/** What clients may call, in the order reflection lists it. */
const PUBLIC_FILES = [
  'rollcall/v1/registry.proto',
  'rollcall/v1/cluster.proto',
  'grpc/health/v1/health.proto',
] as const;

/** A file only this package has, so that a foreign `proto` folder further up is not mistaken for ours. */
const LANDMARK = 'rollcall/v1/registry.proto';

/** Absolute path of the folder `proto`. Throws when the package was installed without it. */
export function protoDirectory(): string {
  const start = dirname(fileURLToPath(import.meta.url));
  let folder = start;
  for (;;) {
    const candidate = join(folder, 'proto');
    if (existsSync(join(candidate, LANDMARK))) return candidate;
    const parent = dirname(folder);
    if (parent === folder) throw new Error(`no proto/${LANDMARK} above ${start}`);
    folder = parent;
  }
}

/** Loads .proto files given relative to the folder `proto`; field names stay snake_case, as in the files. */
function loadProtos(files: readonly string[]): PackageDefinition {
  return loadSync([...files], {
    includeDirs: [protoDirectory()],
    keepCase: true,
    longs: String,
    enums: String,
    defaults: true,
    oneofs: true,
  });
}

let publicPackage: PackageDefinition | undefined;

/** rollcall.v1 and grpc.health.v1; loaded once per process, synchronously, at the first call. */
export function publicProtos(): PackageDefinition {
  publicPackage ??= loadProtos(PUBLIC_FILES);
  return publicPackage;
}

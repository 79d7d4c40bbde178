// A service as people have them: an HTTP server on a free port that says its name. It knows nothing of the registry.
import { createServer } from 'node:http';

const name = process.argv[2] ?? 'unnamed';
const server = createServer((_request, response) => {
  response.setHeader('content-type', 'text/plain');
  response.end(`${name}\n`);
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  process.stdout.write(`${port}\n`);
});
process.on('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
});

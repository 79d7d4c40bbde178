// A complete linearizable list through one node, page by page, as a final state for the checkers.
import type { ListInstancesResponse__Output } from '../../src/rpc/gen/rollcall/v1/ListInstancesResponse.ts';
import type { FinalList } from '../checkers/history.ts';
import { registryClient, unary } from '../support/grpc-client.ts';
import { contentOf } from '../support/grpc-records.ts';

export async function finalList(node: string, address: string): Promise<FinalList> {
  const client = registryClient(address);
  const instances = new Map<string, string>();
  let token = '';
  let revision = 0;
  try {
    do {
      const request = { selector: {}, page_size: 500, page_token: token };
      const page: ListInstancesResponse__Output = await unary<ListInstancesResponse__Output>(
        (options, callback) => client.listInstances(request, options, callback),
        10_000,
      );
      for (const instance of page.instances) {
        instances.set(instance.instance_id, contentOf(instance));
      }
      revision = Number(page.revision);
      token = page.next_page_token;
    } while (token !== '');
  } finally {
    client.close();
  }
  return { node, revision, instances };
}

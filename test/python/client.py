"""A client in another language, with nothing of ours but the wire: it learns the services by reflection, registers,
lists, watches, and resumes its watch on another node after the leader was killed. Arguments: host:port of the leader,
then of the others. Speaks to its parent in lines: it prints KILL when the leader may die and waits for a line."""

import queue
import sys
import threading

import grpc
from google.protobuf import descriptor_pool, message_factory
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase


class Registry:
    def __init__(self, address):
        self.channel = grpc.insecure_channel(address)
        database = ProtoReflectionDescriptorDatabase(self.channel)
        assert "rollcall.v1.Registry" in database.get_services(), "reflection lists the registry"
        self.pool = descriptor_pool.DescriptorPool(database)
        self.service = self.pool.FindServiceByName("rollcall.v1.Registry")

    def message(self, name):
        return message_factory.GetMessageClass(self.pool.FindMessageTypeByName("rollcall.v1." + name))

    def unary(self, method, request, timeout=10):
        descriptor = self.service.FindMethodByName(method)
        answer = message_factory.GetMessageClass(descriptor.output_type)
        call = self.channel.unary_unary(
            f"/rollcall.v1.Registry/{method}",
            request_serializer=lambda value: value.SerializeToString(),
            response_deserializer=answer.FromString,
        )
        return call(request, timeout=timeout, wait_for_ready=True)

    def watch(self, service, token=""):
        """Yields responses; closes its own half after the one request, which the contract allows."""
        request = self.message("WatchRequest")(resume_token=token)
        request.selector.services.append(service)
        call = self.channel.stream_stream(
            "/rollcall.v1.Registry/Watch",
            request_serializer=lambda value: value.SerializeToString(),
            response_deserializer=self.message("WatchResponse").FromString,
        )
        return call(iter([request]), wait_for_ready=True)


def register(registry, instance_id, port):
    request = registry.message("RegisterRequest")(request_id="python-" + instance_id)
    request.instance.service_name = "python"
    request.instance.instance_id = instance_id
    request.instance.host = "10.0.0.9"
    request.instance.port = port
    request.instance.metadata["written-in"] = "python"
    return registry.unary("Register", request)


def listed(registry):
    request = registry.message("ListInstancesRequest")()
    request.selector.services.append("python")
    return [(i.instance_id, i.port) for i in registry.unary("ListInstances", request).instances]


def collect(stream, into):
    """Reads a stream in the background; its end is an entry too."""

    def read():
        try:
            for response in stream:
                into.put(response)
        except grpc.RpcError as error:
            into.put(error)

    threading.Thread(target=read, daemon=True).start()


def next_change(responses):
    """The next message that is not a progress mark."""
    while True:
        response = responses.get(timeout=15)
        if isinstance(response, grpc.RpcError):
            raise response
        if response.reset or len(response.changes) > 0:
            return response


def main(leader, others):
    first = Registry(leader)
    one = register(first, "py-1", 9001)
    assert one.revision == one.generation > 0, one
    assert listed(first) == [("py-1", 9001)]

    responses = queue.Queue()
    collect(first.watch("python"), responses)
    state = next_change(responses)
    assert state.reset and [c.instance.instance_id for c in state.changes] == ["py-1"], state
    two = register(first, "py-2", 9002)
    told = next_change(responses)
    assert told.revision == two.revision and not told.reset, told
    token = told.resume_token

    print("KILL", flush=True)
    sys.stdin.readline()
    second = Registry(others[0])
    three = register(second, "py-3", 9003)
    resumed = queue.Queue()
    collect(second.watch("python", token), resumed)
    after = next_change(resumed)
    assert not after.reset, "the resumed stream goes on where the first one stopped"
    assert [c.instance.instance_id for c in after.changes] == ["py-3"], after
    assert after.revision == three.revision, (after, three)
    again = register(second, "py-2", 9002)
    assert again.generation == two.generation, "the retried registration answers as it did first"
    assert listed(Registry(others[1])) == [("py-1", 9001), ("py-2", 9002), ("py-3", 9003)]

    bad = second.message("RegisterRequest")()
    bad.instance.service_name = "Not_A_Label"
    try:
        second.unary("Register", bad)
        raise AssertionError("a bad name was taken")
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
        assert error.details().startswith("instance.service_name:"), error.details()
    print("OK", flush=True)


main(sys.argv[1], sys.argv[2:])

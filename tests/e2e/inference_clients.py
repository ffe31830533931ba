"""The inference clients that users have, each in a process of its own (tritonclient and kserve register the same protobuf names):
inference_clients.py WHICH HOST:PORT [--authority NAME] [--tls CA.pem]. Run by test_inference_clients.py with the Python of
scripts/e2e_inference_python.sh, against a server that serves iris as "iris". Exit status 0: all it asked was answered right."""
import argparse
import asyncio
import queue

import numpy as np

ROWS = np.array([[5.1, 3.5, 1.4, 0.2], [6.7, 3.0, 5.2, 2.3]])
LABELS = [0, 2]


def channel_of(args):
    import grpc
    options = [("grpc.default_authority", args.authority)] if args.authority else []
    if not args.tls:
        return grpc.insecure_channel(args.target, options)
    return grpc.secure_channel(args.target, grpc.ssl_channel_credentials(open(args.tls, "rb").read()), options)


def triton_grpc(args):
    import tritonclient.grpc as triton
    from tritonclient.utils import InferenceServerException
    options = [("grpc.default_authority", args.authority)] if args.authority else []
    client = triton.InferenceServerClient(args.target, channel_args=options, ssl=bool(args.tls), root_certificates=args.tls)
    assert client.is_server_live() and client.is_server_ready() and client.is_model_ready("iris")
    assert client.get_server_metadata().name == "slipway"
    metadata = client.get_model_metadata("iris")
    assert metadata.platform == "sklearn" and [t.datatype for t in metadata.inputs] and metadata.outputs

    def infer(rows, datatype, **more):
        tensor = triton.InferInput("x", rows.shape, datatype)
        tensor.set_data_from_numpy(rows)
        return client.infer("iris", [tensor], **more)

    for datatype, kind in (("FP64", np.float64), ("FP32", np.float32), ("FP16", np.float16), ("INT32", np.int32)):
        reply = infer(ROWS.astype(kind), datatype, request_id="r-1", outputs=[triton.InferRequestedOutput("output-0")])
        assert reply.get_response().id == "r-1"
        if kind is not np.int32:  # whole numbers are other flowers
            assert reply.as_numpy("output-0").tolist() == LABELS, (datatype, reply.as_numpy("output-0"))
    many = np.tile(ROWS, (5000, 1))  # 320 kB: off the event loop
    for algorithm in (None, "gzip"):
        assert infer(many, "FP64", compression_algorithm=algorithm).as_numpy("output-0").tolist() == LABELS * 5000

    def refused(code, words, call):
        try:
            call()
        except InferenceServerException as error:
            assert error.status() == f"StatusCode.{code}" and words in error.message(), (error.status(), error.message())
        else:
            raise AssertionError(f"{code} expected")
    refused("INVALID_ARGUMENT", "4 features", lambda: infer(ROWS[:, :3], "FP64"))
    refused("INVALID_ARGUMENT", "output 'nope' does not exist", lambda: infer(ROWS, "FP64", outputs=[triton.InferRequestedOutput("nope")]))
    refused("NOT_FOUND", "Model with name nope does not exist.", lambda: client.get_model_metadata("nope"))
    refused("UNIMPLEMENTED", "versioning", lambda: infer(ROWS, "FP64", model_version="7"))
    refused("UNIMPLEMENTED", "ModelConfig", lambda: client.get_model_config("iris"))
    refused("UNAVAILABLE", "Model with name nope is not ready", lambda: client.load_model("nope"))

    assert [m.name for m in client.get_model_repository_index().models if m.state == "READY"] == ["iris"]
    client.load_model("iris")  # once more, over the one that serves

    answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    tensor = triton.InferInput("x", ROWS.shape, "FP64")
    tensor.set_data_from_numpy(ROWS)
    client.async_stream_infer("iris", [tensor], request_id="1")
    client.async_stream_infer("nope", [tensor], request_id="2")
    client.async_stream_infer("iris", [tensor], request_id="3")
    got = [answers.get(timeout=60) for _ in range(3)]
    client.stop_stream()
    assert got[0][0].as_numpy("output-0").tolist() == LABELS and got[2][0].get_response().id == "3"
    assert "does not exist" in got[1][1].message()
    client.close()


def triton_http(args):
    import tritonclient.http as triton
    from tritonclient.utils import InferenceServerException
    client = triton.InferenceServerClient(args.target, concurrency=2)

    def headers():  # a new one each time: the client writes its Content-Encoding into it
        return {"Host": args.authority} if args.authority else {}
    assert client.is_server_live(headers=headers()) and client.is_model_ready("iris", headers=headers())
    assert client.get_model_metadata("iris", headers=headers())["platform"] == "sklearn"
    rows = np.tile(ROWS, (300, 1))
    for binary in (True, False):
        for packed in (None, "gzip"):
            tensor = triton.InferInput("x", rows.shape, "FP64")
            tensor.set_data_from_numpy(rows, binary_data=binary)
            wanted = triton.InferRequestedOutput("output-0", binary_data=binary)
            reply = client.infer("iris", [tensor], outputs=[wanted], headers=headers(), request_compression_algorithm=packed,
                                 response_compression_algorithm=packed)
            assert reply.as_numpy("output-0").tolist() == LABELS * 300, (binary, packed)
    try:
        client.get_model_metadata("nope", headers=headers())
    except InferenceServerException as error:
        assert "does not exist" in error.message()
    else:
        raise AssertionError("404 expected")


def kserve(args):
    from kserve import InferenceGRPCClient, InferInput, InferRequest

    async def ask():
        options = [("grpc.default_authority", args.authority)] if args.authority else None
        client = InferenceGRPCClient(args.target, channel_args=options, timeout=60)
        assert await client.is_server_live() and await client.is_server_ready() and await client.is_model_ready("iris")
        for raw in (True, False):  # raw_input_contents, and contents
            tensor = InferInput("x", list(ROWS.shape), "FP64")
            if raw:
                tensor.set_data_from_numpy(ROWS, binary_data=True)
            else:
                tensor = InferInput("x", list(ROWS.shape), "FP64", data=ROWS.flatten().tolist())
            reply = await client.infer(InferRequest("iris", [tensor], request_id="k-1"))
            assert reply.id == "k-1" and reply.outputs[0].as_numpy().flatten().tolist() == LABELS
        await client.close()
    asyncio.run(ask())


def grpc_tools(args):
    """grpcio's reflection database (what grpcurl does), a call made from it, and the health service."""
    import grpc
    from google.protobuf.descriptor_pool import DescriptorPool
    from google.protobuf.message_factory import GetMessageClass
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    from grpc_reflection.v1alpha.proto_reflection_descriptor_database import ProtoReflectionDescriptorDatabase
    channel = channel_of(args)
    database = ProtoReflectionDescriptorDatabase(channel)
    assert {"inference.GRPCInferenceService", "grpc.health.v1.Health"} <= set(database.get_services())
    pool = DescriptorPool(database)
    service = pool.FindServiceByName("inference.GRPCInferenceService")
    method = service.FindMethodByName("ModelInfer")
    request = GetMessageClass(method.input_type)(model_name="iris", id="7")
    tensor = request.inputs.add(name="x", datatype="FP64", shape=ROWS.shape)
    tensor.contents.fp64_contents.extend(ROWS.flatten().tolist())
    call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer", type(request).SerializeToString,
                               GetMessageClass(method.output_type).FromString)
    reply = call(request, timeout=60)
    contents = reply.outputs[0].contents
    assert [int(v) for v in (*contents.int64_contents, *contents.int_contents, *contents.fp64_contents)] == LABELS
    health = health_pb2_grpc.HealthStub(channel)
    for name in ("", "iris", "inference.GRPCInferenceService"):
        assert health.Check(health_pb2.HealthCheckRequest(service=name), timeout=60).status == 1, name
    try:
        health.Check(health_pb2.HealthCheckRequest(service="nope"), timeout=60)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.NOT_FOUND
    else:
        raise AssertionError("NOT_FOUND expected")
    watch = health.Watch(health_pb2.HealthCheckRequest(service="iris"), timeout=60)
    assert next(watch).status == 1
    unload = channel.unary_unary("/inference.GRPCInferenceService/RepositoryModelUnload")
    load = channel.unary_unary("/inference.GRPCInferenceService/RepositoryModelLoad")
    name = b"\x0a\x04iris"
    assert unload(name, timeout=60) == name + b"\x10\x01"
    assert next(watch).status == 3  # SERVICE_UNKNOWN
    assert load(name, timeout=60) == name + b"\x10\x01"
    assert next(watch).status == 1
    watch.cancel()
    short = health.Watch(health_pb2.HealthCheckRequest(), timeout=0.3)
    assert next(short).status == 1
    try:
        next(short)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    else:
        raise AssertionError("DEADLINE_EXCEEDED expected")


def hold_a_watch(args):
    """Watches until the server ends the stream: NOT_SERVING first, then UNAVAILABLE. Prints "watching" once it does."""
    import grpc
    from grpc_health.v1 import health_pb2, health_pb2_grpc
    watch = health_pb2_grpc.HealthStub(channel_of(args)).Watch(health_pb2.HealthCheckRequest(), timeout=120)
    assert next(watch).status == 1
    print("watching", flush=True)
    assert next(watch).status == 2
    try:
        next(watch)
    except grpc.RpcError as error:
        assert error.code() == grpc.StatusCode.UNAVAILABLE, error
    else:
        raise AssertionError("UNAVAILABLE expected")


if __name__ == "__main__":
    which = {f.__name__: f for f in (triton_grpc, triton_http, kserve, grpc_tools, hold_a_watch)}
    parser = argparse.ArgumentParser()
    parser.add_argument("which", choices=which)
    parser.add_argument("target")
    parser.add_argument("--authority")
    parser.add_argument("--tls")
    arguments = parser.parse_args()
    which[arguments.which](arguments)

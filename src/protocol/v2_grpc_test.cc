#include "protocol/v2_grpc.h"

#include <gtest/gtest.h>

#include <cmath>

#include "data/protobuf_wire.h"

namespace slipway::protocol {
namespace {
using protobuf::appendBytes;
using protobuf::appendNumber;
using protobuf::appendVarint;

std::string packed(std::initializer_list<std::int64_t> values) {
  std::string out;
  for (const auto v : values) appendVarint(out, static_cast<std::uint64_t>(v));
  return out;
}

template <class T>
std::string bytesOf(std::initializer_list<T> values) {
  return {reinterpret_cast<const char*>(values.begin()), values.size() * sizeof(T)};
}

std::string input(std::string_view name, std::string_view type, std::initializer_list<std::int64_t> shape,
                  std::uint32_t field = 0, std::string_view contents = "") {
  std::string out, inner;
  appendBytes(out, 1, name);
  appendBytes(out, 2, type);
  if (shape.size() > 0) appendBytes(out, 3, packed(shape));
  if (field != 0) {
    appendBytes(inner, field, contents);
    appendBytes(out, 5, inner);
  }
  return out;
}

std::string request(std::initializer_list<std::string> inputs, std::initializer_list<std::string> raw = {}) {
  std::string out;
  appendBytes(out, 1, "m");
  for (const auto& i : inputs) appendBytes(out, 5, i);
  for (const auto& r : raw) appendBytes(out, 7, r);
  return out;
}

std::string errorOf(std::string_view message) {
  const auto call = readInferRequest(message);
  return call ? "no error" : call.error().message;
}

TEST(V2Grpc, ReadsContentsOfEveryDatatype) {
  const auto one = [](const char* type, std::uint32_t field, const std::string& contents) {
    auto call = readInferRequest(request({input("x", type, {2}, field, contents)}));
    EXPECT_TRUE(call) << type << ": " << (call ? "" : call.error().message);
    return call ? std::move(call->request.inputs[0]) : Tensor{};
  };
  EXPECT_EQ(one("BOOL", 1, packed({1, 0})).data.view(), std::string("\1\0", 2));
  EXPECT_EQ(one("INT8", 2, packed({-128, 127})).values<std::int8_t>()[0], -128);
  EXPECT_EQ(one("INT16", 2, packed({-3, 5})).values<std::int16_t>()[0], -3);
  EXPECT_EQ(one("INT32", 2, packed({-70000, 5})).values<std::int32_t>()[0], -70000);
  EXPECT_EQ(one("INT64", 3, packed({-1, INT64_MIN})).values<std::int64_t>()[1], INT64_MIN);
  EXPECT_EQ(one("UINT8", 4, packed({255, 0})).values<std::uint8_t>()[0], 255);
  EXPECT_EQ(one("UINT16", 4, packed({65535, 0})).values<std::uint16_t>()[0], 65535);
  EXPECT_EQ(one("UINT32", 4, packed({4294967295, 0})).values<std::uint32_t>()[0], 4294967295U);
  EXPECT_EQ(one("UINT64", 5, packed({-1, 0})).values<std::uint64_t>()[0], UINT64_MAX);
  EXPECT_EQ(one("FP32", 6, bytesOf<float>({1.5F, -2.0F})).values<float>()[0], 1.5F);
  EXPECT_EQ(one("FP64", 7, bytesOf<double>({1.5, -2.0})).values<double>()[1], -2.0);
  std::string two;
  appendBytes(two, 8, "a");
  appendBytes(two, 8, std::string("\xff\0", 2));  // bytes need not be UTF-8
  std::string whole = input("x", "BYTES", {2});
  appendBytes(whole, 5, two);
  const auto texts = readInferRequest(request({whole}));
  ASSERT_TRUE(texts);
  EXPECT_EQ(texts->request.inputs[0].texts, (std::vector<std::string>{"a", std::string("\xff\0", 2)}));
}

TEST(V2Grpc, TakesUnpackedNumbersAndSplitMessages) {
  std::string first, second, x = input("x", "INT64", {});
  appendNumber(x, 3, 1);  // shape [1, 2], a field for each dimension
  appendNumber(x, 3, 2);
  appendNumber(first, 3, 7);
  appendNumber(second, 3, 8);
  appendBytes(x, 5, first);
  appendBytes(x, 5, second);
  const auto call = readInferRequest(request({x}));
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_EQ(call->request.inputs[0].shape, (Shape{1, 2}));
  EXPECT_EQ(call->request.inputs[0].values<std::int64_t>()[1], 8);
}

TEST(V2Grpc, ReadsRawContentsIdParametersAndOutputs) {
  std::string message = request({input("x", "FP32", {1, 2}), input("t", "BYTES", {1}), input("h", "FP16", {1})},
                                {bytesOf<float>({1, 2}), std::string("\3\0\0\0abc", 7), std::string("\0\x3c", 2)});
  appendBytes(message, 3, "id-1");
  std::string parameter, value, output;
  appendBytes(parameter, 1, "priority");
  appendNumber(value, 2, static_cast<std::uint64_t>(-5));
  appendBytes(parameter, 2, value);
  appendBytes(message, 4, parameter);
  appendBytes(output, 1, "y");
  appendBytes(message, 6, output);
  const auto call = readInferRequest(message);
  ASSERT_TRUE(call) << call.error().message;
  EXPECT_TRUE(call->raw);
  EXPECT_EQ(call->request.id, "id-1");
  EXPECT_EQ(call->request.inputs[0].values<float>()[1], 2);
  EXPECT_EQ(call->request.inputs[1].texts[0], "abc");
  EXPECT_EQ(call->request.inputs[2].values<std::uint16_t>()[0], 0x3c00);
  EXPECT_EQ(std::get<std::int64_t>(call->request.parameters[0].second), -5);
  EXPECT_EQ(call->request.outputs[0].name, "y");
}

TEST(V2Grpc, EachRefusalSaysWhatToChange) {
  EXPECT_EQ(errorOf("\xff\xff"), "ModelInferRequest is not a valid protobuf message");
  EXPECT_EQ(errorOf(""), "model_name is missing");
  EXPECT_EQ(errorOf(request({})), "inputs is empty: send at least one tensor");
  EXPECT_EQ(errorOf(request({input("x", "FP32", {2}, 6, bytesOf<float>({1}))})),
            "input 'x': contents has 1 elements, but shape [2] takes 2");
  EXPECT_EQ(errorOf(request({input("x", "FP32", {1}, 7, bytesOf<double>({1}))})),
            "input 'x': datatype FP32 goes in fp32_contents, not in fp64_contents");
  EXPECT_EQ(errorOf(request({input("x", "FP16", {1}, 6, bytesOf<float>({1}))})),
            "input 'x': datatype FP16 has no field in contents: send it in raw_input_contents");
  EXPECT_EQ(errorOf(request({input("x", "INT8", {1}, 2, packed({200}))})), "input 'x': 200 does not fit INT8");
  EXPECT_EQ(errorOf(request({input("x", "FLOAT", {1})})).substr(0, 44), "input 'x': datatype 'FLOAT' is not known: us");
  EXPECT_EQ(errorOf(request({input("x", "FP32", {-1})})), "input 'x': shape has the dimension -1: use integers >= 0");
  EXPECT_EQ(errorOf(request({input("x", "FP32", {1LL << 40, 1LL << 40})})),
            "input 'x': shape [1099511627776, 1099511627776] is too large");
  EXPECT_EQ(errorOf(request({input("x", "FP32", {2})}, {"123"})),
            "input 'x': raw_input_contents[0] has a size of 3, but shape [2] of FP32 takes 8 bytes");
  EXPECT_EQ(errorOf(request({input("x", "FP32", {1}), input("y", "FP32", {1})}, {"1234"})),
            "raw_input_contents has 1 elements, but there are 2 inputs");
  EXPECT_EQ(errorOf(request({input("x", "FP32", {1}, 6, "1234")}, {"1234"})),
            "input 'x': has contents, but the request has raw_input_contents too: send one of them");
  EXPECT_EQ(errorOf(request({input("x", "BYTES", {1})}, {std::string("\x09\0\0\0abc", 7)})),
            "input 'x': element 0 claims 9 bytes, 3 are left");
  EXPECT_EQ(errorOf(request({input("\xff", "FP32", {1})})), "inputs[0]: name is not UTF-8");
}

// What a response holds: the fields of its outputs by number, and its raw contents.
struct Response {
  std::map<std::uint32_t, std::string> head;
  std::vector<std::string> outputs, raw;
};
Response parse(std::string_view bytes) {
  Response r;
  protobuf::Reader reader(bytes);
  while (!reader.done()) {
    const auto f = reader.next();
    if (!f) return r;
    if (f->number == 5)
      r.outputs.emplace_back(f->bytes);
    else if (f->number == 6)
      r.raw.emplace_back(f->bytes);
    else
      r.head[f->number] = std::string(f->bytes);
  }
  return r;
}

TEST(V2Grpc, WritesTheFormThatTheRequestHad) {
  const double values[] = {1.5, NAN};
  std::vector<Tensor> outputs;
  outputs.push_back(Tensor::of<double>("y", {2}, values));
  outputs.push_back(Tensor::ofTexts("t", {1}, {"abc"}));
  GrpcInfer call;
  auto contents = writeInferResponse({"m", "1", "7", outputs}, call);
  ASSERT_TRUE(contents);
  auto r = parse(*contents);
  EXPECT_EQ(r.head[1] + r.head[2] + r.head[3], "m17");
  ASSERT_EQ(r.outputs.size(), 2u);
  EXPECT_TRUE(r.raw.empty());
  EXPECT_NE(r.outputs[0].find({reinterpret_cast<const char*>(values), 16}), std::string::npos);
  call.raw = true;
  r = parse(*writeInferResponse({"m", "1", "7", outputs}, call));
  EXPECT_EQ(r.raw, (std::vector<std::string>{std::string(reinterpret_cast<const char*>(values), 16),
                                             std::string("\3\0\0\0abc", 7)}));
  call.request.outputs = {{"t", {}}};
  EXPECT_EQ(parse(*writeInferResponse({"m", "1", "7", outputs}, call)).raw.size(), 1u);
  call.request.outputs = {{"z", {}}};
  EXPECT_EQ(writeInferResponse({"m", "1", "7", outputs}, call).error().message,
            "output 'z' does not exist; this model has y, t");
}

TEST(V2Grpc, RepositoryRequestsOfKServeAndTritonBothName) {
  std::string kserve, triton;
  appendBytes(kserve, 1, "iris");
  appendBytes(triton, 1, "");
  appendBytes(triton, 2, "iris");
  EXPECT_EQ(*readRepositoryModel(kserve), "iris");
  EXPECT_EQ(*readRepositoryModel(triton), "iris");
  EXPECT_EQ(readRepositoryModel("").error().message, "model_name is missing");
}

}  // namespace
}  // namespace slipway::protocol

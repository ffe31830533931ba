#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "protocol/json_writer.h"
#include "protocol/v1.h"
#include "protocol/v2.h"

namespace slipway::protocol {
namespace {

std::string errorOf(const auto& result) { return result ? "no error" : result.error().message; }
std::string v1Error(std::string_view body) { return errorOf(V1Reader().read(body)); }
std::string v2Error(std::string_view body) { return errorOf(V2Reader().readJson(body)); }
std::string input(std::string_view fields) { return fmt::format(R"({{"inputs":[{{"name":"x",{}}}]}})", fields); }

std::string number(double v) {
  std::string out;
  appendDouble(out, v);
  return out;
}

TEST(JsonWriter, PrintsRealNumbersAsPythonDoes) {
  EXPECT_EQ(number(1), "1.0");
  EXPECT_EQ(number(0.1), "0.1");
  EXPECT_EQ(number(-0.0), "-0.0");
  EXPECT_EQ(number(1e15), "1000000000000000.0");
  EXPECT_EQ(number(1e16), "1e+16");
  EXPECT_EQ(number(0.0001), "0.0001");
  EXPECT_EQ(number(1e-5), "1e-05");
  EXPECT_EQ(number(5.1), "5.1");
  EXPECT_EQ(number(std::numeric_limits<double>::max()), "1.7976931348623157e+308");
}

TEST(JsonWriter, WritesNanAndInfinityAsNull) {
  EXPECT_EQ(number(NAN), "null");
  EXPECT_EQ(number(-INFINITY), "null");
}

TEST(JsonWriter, KeepsTheDocumentValidWhateverTheText) {
  std::string out;
  appendString(out, "a\"\\\n\x01\xFF\xC3\xA9\xED\xA0\x80");
  EXPECT_EQ(out, "\"a\\\"\\\\\\n\\u0001\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD\"");
  EXPECT_TRUE(nlohmann::json::accept(out));
}

TEST(V1, ReadsRowsOfNumbers) {
  const auto t = V1Reader().read(R"( {"instances": [[6.8, 2.8, 4, 1], [6.0e0, 3.4, 4.5, true]], "other": {"a": [1]}} )");
  ASSERT_TRUE(t) << errorOf(t);
  EXPECT_EQ(t->shape, (Shape{2, 4}));
  EXPECT_EQ(t->type, DataType::Fp64);
  EXPECT_DOUBLE_EQ(t->values<double>()[0], 6.8);
  EXPECT_DOUBLE_EQ(t->values<double>()[7], 1);
}

TEST(V1, ReadsInputsAndStringsAndEmptyLists) {
  EXPECT_EQ(V1Reader().read(R"({"inputs": [["a","b\n"]]})")->texts, (std::vector<std::string>{"a", "b\n"}));
  EXPECT_EQ(V1Reader().read(R"({"instances": []})")->shape, (Shape{0}));
  EXPECT_EQ(V1Reader().read(R"({"instances": [[],[]]})")->shape, (Shape{2, 0}));
}

TEST(V1, ReadsNullAsNan) { EXPECT_TRUE(std::isnan(V1Reader().read(R"({"instances": [[null]]})")->values<double>()[0])); }

TEST(V1, RefusesWhatIsNotJsonAndSaysWhere) {
  for (const char* body : {"", "x", "{", R"({"instances": [[1,2})", R"({"instances": [[1 2]]})", R"({"instances": [[1]]} x)",
                           R"({"instances": [[1.2.3]]})", "[1]", "5", "\xFF", R"({"instances": [[1)"})
    EXPECT_TRUE(v1Error(body).find("Unrecognized request format: ") != std::string::npos ||
                v1Error(body).find("expected a finite number") != std::string::npos)
        << body << " gave " << v1Error(body);
  EXPECT_NE(v1Error("{\"instances\":\n [[1 2]]}").find("line 2"), std::string::npos)
      << v1Error("{\"instances\":\n [[1 2]]}");
}

TEST(V1, NamesWhatIsWrongWithTheInstances) {
  EXPECT_EQ(v1Error(R"({"instances": 3})"), "Expected \"instances\" to be a list");
  EXPECT_EQ(v1Error(R"({"a": 3})"),
            "Expected \"instances\" or \"inputs\" in the request, for example {\"instances\": [[1.0, 2.0]]}");
  EXPECT_EQ(v1Error(R"({"instances": [{"a": 1}]})"), "\"instances\": element 0 is an object, expected a finite number");
  EXPECT_EQ(v1Error(R"({"instances": [[1, "a"]]})"),
            "\"instances\": element 1 is a string (\"a\"), expected a finite number");
  EXPECT_EQ(v1Error(R"({"instances": [["a", 1]]})"),
            "\"instances\": element 1 is a number (1), expected a string like the elements before it");
  EXPECT_EQ(v1Error(R"({"instances": [[1, 2], [3]]})"),
            "\"instances\": lists differ in length at depth 2: 2 and 1 elements; every row needs the same number");
  EXPECT_NE(v1Error(R"({"instances": [[1], 2]})").find("mixed"), std::string::npos);
  EXPECT_NE(v1Error(R"({"instances": [[[]], [2]]})").find("mixed"), std::string::npos);
  EXPECT_NE(v1Error(R"({"instances": [NaN]})").find("NaN or Infinity"), std::string::npos);
  EXPECT_NE(v1Error(R"({"instances": [-Infinity]})").find("NaN or Infinity"), std::string::npos);
  EXPECT_NE(v1Error("{\"instances\": " + std::string(40, '[') + std::string(40, ']') + "}").find("nested deeper than 32"),
            std::string::npos);
  EXPECT_NE(v1Error("{\"instances\": " + std::string(100000, '[')).find("request"), std::string::npos);
}

TEST(V1, WritesPredictionsInTheShapeOfTheOutput) {
  const auto write = [](const Tensor& t) {
    std::string out;
    writeV1Response(out, {&t, 1});
    return out;
  };
  EXPECT_EQ(write(Tensor::of<std::int64_t>("o", {2}, std::vector<std::int64_t>{0, -2})), R"({"predictions":[0,-2]})");
  EXPECT_EQ(write(Tensor::of<double>("o", {2, 2}, std::vector<double>{1, 0.5, 0, NAN})),
            R"({"predictions":[[1.0,0.5],[0.0,null]]})");
  EXPECT_EQ(write(Tensor::ofTexts("o", {1}, {"set\"osa"})), R"({"predictions":["set\"osa"]})");
  EXPECT_EQ(write(Tensor::of<double>("o", {0, 2}, {})), R"({"predictions":[]})");
}

TEST(V2, ReadsFlatAndNestedDataWhateverTheOrderOfFields) {
  for (const char* body : {R"({"id":"7","inputs":[{"name":"x","shape":[2,2],"datatype":"FP32","data":[1,2,3,4.5]}]})",
                           R"({"inputs":[{"data":[[1,2],[3,4.5]],"datatype":"FP32","name":"x","shape":[2,2]}],"id":"7"})"}) {
    const auto r = V2Reader().readJson(body);
    ASSERT_TRUE(r) << errorOf(r);
    EXPECT_EQ(r->id, "7");
    EXPECT_EQ(r->inputs[0].shape, (Shape{2, 2}));
    EXPECT_EQ(r->inputs[0].values<float>()[3], 4.5F);
  }
}

TEST(V2, ReadsEveryDatatype) {
  const auto one = [](const std::string& type, const std::string& value) {
    return errorOf(V2Reader().readJson(input(fmt::format(R"("shape":[1],"datatype":"{}","data":[{}])", type, value))));
  };
  for (const char* ok : {"BOOL true", "BOOL 0", "UINT8 255", "UINT16 65535", "UINT32 4294967295",
                         "UINT64 18446744073709551615", "INT8 -128", "INT16 -32768", "INT32 -2147483648",
                         "INT64 -9223372036854775808", "INT32 3.0", "FP32 1", "FP64 1e300", "FP64 null", "BYTES \"a\""}) {
    const std::string text = ok;
    EXPECT_EQ(one(text.substr(0, text.find(' ')), text.substr(text.find(' ') + 1)), "no error") << ok;
  }
  EXPECT_EQ(one("UINT8", "256"), "input 'x': element 0 is 256, out of range for UINT8 (0 to 255)");
  EXPECT_EQ(one("INT8", "-129"), "input 'x': element 0 is -129, out of range for INT8 (-128 to 127)");
  EXPECT_EQ(one("UINT64", "-1"), "input 'x': element 0 is -1, out of range for UINT64 (0 to 18446744073709551615)");
  EXPECT_EQ(one("INT32", "1.5"), "input 'x': element 0 is 1.5, not an integer that fits INT32: send datatype FP32 or FP64");
  EXPECT_NE(one("INT64", "99999999999999999999").find("INT64"), std::string::npos);
  EXPECT_EQ(one("FP32", "1e39"), "input 'x': element 0 is 1e+39, out of range for FP32: send datatype FP64");
  EXPECT_EQ(one("BOOL", "2"), "input 'x': element 0 is a number (2), expected true, false, 0 or 1");
  EXPECT_EQ(one("BYTES", "2"), "input 'x': element 0 is a number (2), expected a string");
  EXPECT_NE(one("FP16", "2").find("FP16 has no JSON form"), std::string::npos);
  EXPECT_NE(one("FP8", "2").find("datatype 'FP8' is not known"), std::string::npos);
}

TEST(V2, NamesTheTensorTheFieldAndTheFix) {
  EXPECT_EQ(v2Error(input(R"("shape":[1,4],"datatype":"FP32","data":[1,2,3])")),
            "input 'x': data has 3 elements, but shape [1, 4] takes 4");
  EXPECT_EQ(v2Error(input(R"("shape":[4,1],"datatype":"FP32","data":[[1,2],[3,4]])")),
            "input 'x': data is nested as [2, 2], but shape says [4, 1]");
  EXPECT_EQ(v2Error(input(R"("shape":[-1],"datatype":"FP32","data":[1])")),
            "input 'x': shape must be a list of integers >= 0");
  EXPECT_EQ(v2Error(input(R"("datatype":"FP32","data":[1])")), "input 'x': shape is missing, for example \"shape\": [1, 4]");
  EXPECT_EQ(v2Error(input(R"("shape":[1],"data":[1])")),
            "input 'x': datatype is missing, for example \"datatype\": \"FP32\"");
  EXPECT_EQ(v2Error(input(R"("shape":[1],"datatype":"FP32")")), "input 'x': data is missing");
  EXPECT_EQ(v2Error(input(R"("shape":[1],"datatype":"FP32","data":5)")), "input 'x': data must be a list");
  EXPECT_EQ(v2Error(R"({"inputs":[{"shape":[1],"datatype":"FP32","data":[5]}]})"), "inputs[0]: name is missing");
  EXPECT_EQ(v2Error(R"({"inputs":{}})"), "Expected \"inputs\" to be a list");
  EXPECT_EQ(v2Error(R"({"inputs":[]})"), "Expected \"inputs\" to be a list of at least one tensor");
  EXPECT_EQ(v2Error(R"({"inputs":[3]})"), "inputs[0] must be an object");
  EXPECT_NE(v2Error(input(R"("shape":[4611686018427387904,4],"datatype":"FP32","data":[])")).find("too large"),
            std::string::npos);
  EXPECT_NE(v2Error(R"({"inputs":[{"name":"x","shape":[1],"datatype":"FP32","data":[1)").find("Unrecognized"),
            std::string::npos);
  EXPECT_NE(v2Error(R"({"id":5,"inputs":[]})").find("id must be a string"), std::string::npos);
}

TEST(V2, TakesRawTensorsAfterTheJsonPart) {
  const std::string json =
      R"({"inputs":[{"name":"a","shape":[2],"datatype":"FP32","parameters":{"binary_data_size":8}},)"
      R"({"name":"b","shape":[2],"datatype":"BYTES","parameters":{"binary_data_size":11}},{"name":"c","shape":[1],"datatype":"INT8","data":[7]}]})";
  const float raw[2] = {1.5F, -2};
  const std::string body =
      json + std::string(reinterpret_cast<const char*>(raw), 8) + std::string("\x03\0\0\0abc\0\0\0\0", 11);
  const auto r = V2Reader().readBinary(body, json.size());
  ASSERT_TRUE(r) << errorOf(r);
  EXPECT_EQ(r->inputs[0].values<float>()[1], -2);
  EXPECT_EQ(r->inputs[1].texts, (std::vector<std::string>{"abc", ""}));
  EXPECT_EQ(r->inputs[2].values<std::int8_t>()[0], 7);
  EXPECT_NE(errorOf(V2Reader().readBinary(body + "zz", json.size())).find("2 bytes follow the last tensor"),
            std::string::npos);
  EXPECT_NE(errorOf(V2Reader().readBinary(body.substr(0, body.size() - 1), json.size()))
                .find("input 'b': parameters.binary_data_size is 11, but only 10"),
            std::string::npos);
  EXPECT_NE(errorOf(V2Reader().readBinary(body, body.size() + 1)).find("Inference-Header-Content-Length is"),
            std::string::npos);
}

TEST(V2, ChecksTheSizeOfRawTensors) {
  const auto binary = [](std::string_view fields, const std::string& raw) {
    const std::string json = input(fields);
    return errorOf(V2Reader().readBinary(json + raw, json.size()));
  };
  EXPECT_EQ(binary(R"("shape":[3],"datatype":"FP32","parameters":{"binary_data_size":8})", std::string(8, '\0')),
            "input 'x': parameters.binary_data_size is 8, but shape [3] of FP32 takes 12 bytes");
  EXPECT_NE(binary(R"("shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":5})", std::string("\x09\0\0\0a", 5))
                .find("claims 9 bytes"),
            std::string::npos);
  EXPECT_NE(binary(R"("shape":[1],"datatype":"BOOL","parameters":{"binary_data_size":1})", "\x02").find("neither 0 nor 1"),
            std::string::npos);
  EXPECT_NE(binary(R"("shape":[1],"datatype":"BOOL","data":[true],"parameters":{"binary_data_size":1})", "\x01")
                .find("both data and"),
            std::string::npos);
  EXPECT_EQ(binary(R"("shape":[1],"datatype":"FP16","parameters":{"binary_data_size":2})", std::string("\x00\x3C", 2)),
            "no error");
}

TEST(V2, WritesTheSelectedOutputsAsJsonOrRaw) {
  const std::vector<Tensor> outputs{Tensor::of<std::int64_t>("label", {1}, std::vector<std::int64_t>{2}),
                                    Tensor::of<double>("p", {1, 2}, std::vector<double>{0.25, 0.75})};
  const V2Reply reply{"iris", "1", "id-1", outputs};
  EXPECT_EQ(
      writeV2Response(reply, {})->body,
      R"({"model_name":"iris","model_version":"1","id":"id-1","outputs":[{"name":"label","shape":[1],"datatype":"INT64","data":[2]},)"
      R"({"name":"p","shape":[1,2],"datatype":"FP64","data":[0.25,0.75]}]})");
  V2Request request;
  request.binaryOutputs = true;
  request.outputs = {{"p", {}}};
  const auto binary = writeV2Response(reply, request);
  ASSERT_TRUE(binary && binary->headerLength);
  EXPECT_EQ(binary->body.size(), *binary->headerLength + 16);
  EXPECT_NE(binary->body.find(R"("parameters":{"binary_data_size":16}}])"), std::string::npos);
  request.outputs = {{"p", false}};
  EXPECT_FALSE(writeV2Response(reply, request)->headerLength);
  request.outputs = {{"q", {}}};
  EXPECT_EQ(errorOf(writeV2Response(reply, request)), "output 'q' does not exist; this model has label, p");
}

TEST(V2, ReadsOutputSelectionAndParameters) {
  const auto r = V2Reader().readJson(
      R"({"parameters":{"binary_data_output":true,"n":3,"s":"t","o":{"x":1}},"outputs":[{"name":"a","parameters":{"binary_data":false}},{"name":"b"}],)"
      R"("inputs":[{"name":"x","shape":[0],"datatype":"INT8","data":[]}]})");
  ASSERT_TRUE(r) << errorOf(r);
  EXPECT_TRUE(r->binaryOutputs);
  EXPECT_EQ(r->outputs[0].binary, false);
  EXPECT_FALSE(r->outputs[1].binary.has_value());
  EXPECT_EQ(std::get<std::int64_t>(r->parameters[1].second), 3);
}

TEST(V2, OneReaderServesManyRequestsAfterErrors) {
  V2Reader reader;
  const std::string good = input(R"("shape":[1],"datatype":"FP32","data":[1])");
  for (int i = 0; i < 3; ++i) {
    EXPECT_FALSE(reader.readJson(good.substr(0, 20 + i)));
    EXPECT_TRUE(reader.readJson(good));
  }
  std::string big = R"({"inputs":[{"name":"x","shape":[400000],"datatype":"FP64","data":[0)";
  for (int i = 1; i < 400000; ++i) big += ",0.5";
  EXPECT_TRUE(reader.readJson(big + "]}]}"));
  EXPECT_TRUE(reader.readJson(good));
}

TEST(Tensor, WidensHalfPrecision) {
  EXPECT_EQ(halfToFloat(0x3C00), 1);
  EXPECT_EQ(halfToFloat(0xC000), -2);
  EXPECT_EQ(halfToFloat(0x0001), std::ldexp(1.0F, -24));
  EXPECT_TRUE(std::isnan(halfToFloat(0x7E00)));
  EXPECT_EQ(halfToFloat(0x7C00), INFINITY);
}

}  // namespace
}  // namespace slipway::protocol

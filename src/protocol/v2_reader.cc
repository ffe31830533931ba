#include "protocol/json_reader.h"
#include "protocol/v2.h"
#include "protocol/v2_tensors.h"

namespace slipway::protocol {
namespace {
using detail::JsonText;
using detail::ListReader;
namespace ondemand = detail::ondemand;

struct Input {
  Tensor tensor;
  bool hasType = false, hasShape = false, hasData = false;
  std::string_view deferred;  // text of `data` that came before `datatype`
  std::optional<std::int64_t> binarySize;
  Shape nested;  // shape of `data` as written
};

tl::unexpected<Error> bad(std::string message) { return fail(Code::BadRequest, std::move(message)); }
bool isSyntax(const Error& e) { return e.message.starts_with("Unrecognized"); }

std::string label(const Input& input, std::size_t index) {
  return input.tensor.name.empty() ? fmt::format("inputs[{}]", index) : fmt::format("input '{}'", input.tensor.name);
}

// Calls each(key, value) for every field until one refuses.
template <class F>
Status eachField(JsonText& text, ondemand::object object, F each) {
  for (auto field : object) {
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key)) return fail(text.syntax(error));
    ondemand::value value;
    if (const auto error = field.value().get(value)) return fail(text.syntax(error));
    SLIP_CHECK(each(key, value));
  }
  return {};
}

Result<ondemand::object> objectOf(ondemand::value value, std::string_view what) {
  ondemand::object object;
  if (value.get_object().get(object) != simdjson::SUCCESS) return bad(fmt::format("{} must be an object", what));
  return object;
}

Result<ondemand::array> listOf(ondemand::value value, std::string_view what) {
  ondemand::array list;
  if (value.get_array().get(list) != simdjson::SUCCESS) return bad(fmt::format("{} must be a list", what));
  return list;
}

Result<std::string> textOf(ondemand::value value, std::string_view what) {
  std::string_view text;
  if (value.get_string().get(text) != simdjson::SUCCESS) return bad(fmt::format("{} must be a string", what));
  return std::string(text);
}

Status readParameters(JsonText& text, ondemand::value value, Parameters& out) {
  if (value.raw_json_token().starts_with('n')) return {};  // null: none
  auto object = objectOf(value, "parameters");
  if (!object) return fail(std::move(object).error());
  return eachField(text, *object, [&](std::string_view key, ondemand::value v) -> Status {
    std::string name(key);
    std::string_view string;
    bool truth = false;
    ondemand::number number;
    const char c = v.raw_json_token()[0];
    if (c == '"' && v.get_string().get(string) == simdjson::SUCCESS)
      out.emplace_back(std::move(name), std::string(string));
    else if ((c == 't' || c == 'f') && v.get_bool().get(truth) == simdjson::SUCCESS)
      out.emplace_back(std::move(name), truth);
    else if ((c == '-' || (c >= '0' && c <= '9')) && v.get_number().get(number) == simdjson::SUCCESS) {
      if (number.is_int64())
        out.emplace_back(std::move(name), number.get_int64());
      else
        out.emplace_back(std::move(name), number.as_double());
    }
    return {};  // other kinds of values have no meaning in the protocol and are skipped
  });
}

Status readShape(JsonText& text, ondemand::value value, Shape& shape) {
  auto list = listOf(value, "shape");
  if (!list) return fail(std::move(list).error());
  shape.clear();
  for (auto element : *list) {
    ondemand::value v;
    if (const auto error = element.get(v)) return fail(text.syntax(error));
    std::int64_t dimension = 0;
    if (v.get_int64().get(dimension) != simdjson::SUCCESS || dimension < 0)
      return bad("shape must be a list of integers >= 0");
    if (shape.size() >= 32) return bad("shape has more than 32 dimensions");
    shape.push_back(dimension);
  }
  return {};
}

Status readData(JsonText& text, ondemand::array list, Input& input) {
  ListReader reader(text, input.tensor, false);
  SLIP_CHECK(reader.read(list));
  input.nested = reader.shape();
  return {};
}

Status readInputField(JsonText& text, Input& input, std::string_view key, ondemand::value v) {
  if (key == "name") {
    SLIP_TRY(input.tensor.name, textOf(v, "name"));
  } else if (key == "datatype") {
    SLIP_TRY(const std::string name, textOf(v, "datatype"));
    const auto type = parseDataType(name);
    if (!type)
      return bad(fmt::format(
          "datatype '{}' is not known: use BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64 or BYTES", name));
    input.tensor.type = *type;
    input.hasType = true;
  } else if (key == "shape") {
    SLIP_CHECK(readShape(text, v, input.tensor.shape));
    input.hasShape = true;
  } else if (key == "parameters") {
    Parameters parameters;
    SLIP_CHECK(readParameters(text, v, parameters));
    for (const auto& [name, value] : parameters)
      if (name == "binary_data_size") {
        const auto* size = std::get_if<std::int64_t>(&value);
        if (size == nullptr || *size < 0) return bad("parameters.binary_data_size must be an integer >= 0");
        input.binarySize = *size;
      }
  } else if (key == "data") {
    if (input.hasData) return bad("data is given twice");
    auto list = listOf(v, "data");
    if (!list) return fail(std::move(list).error());
    input.hasData = true;
    if (input.hasType) return readData(text, *list, input);
    if (const auto error = list->raw_json().get(input.deferred)) return fail(text.syntax(error));
  }
  return {};
}

Status takeBinary(Input& input, std::string_view& tail) {
  const auto size = static_cast<std::size_t>(*input.binarySize);
  if (input.hasData) return bad("has both data and parameters.binary_data_size: send one of them");
  if (size > tail.size())
    return bad(fmt::format("parameters.binary_data_size is {}, but only {} bytes follow the JSON part", size, tail.size()));
  const std::string_view raw = tail.substr(0, size);
  tail.remove_prefix(size);
  return detail::setRaw(input.tensor, raw, "parameters.binary_data_size is");
}

Status checkCounts(const Input& input) {
  const Tensor& t = input.tensor;
  SLIP_TRY(const std::size_t expected, elementsOf(t.shape));
  if (input.nested.size() > 1 && input.nested != t.shape)
    return bad(fmt::format("data is nested as {}, but shape says {}", describeShape(input.nested), describeShape(t.shape)));
  if (t.elements() != expected)
    return bad(fmt::format("data has {} elements, but shape {} takes {}", t.elements(), describeShape(t.shape), expected));
  return {};
}

Status finishInput(JsonText& later, Input& input, std::string_view& tail) {
  if (input.tensor.name.empty()) return bad("name is missing");
  if (!input.hasType) return bad("datatype is missing, for example \"datatype\": \"FP32\"");
  if (!input.hasShape) return bad("shape is missing, for example \"shape\": [1, 4]");
  if (input.binarySize) {
    SLIP_CHECK(takeBinary(input, tail));
    return checkCounts(input);
  }
  if (!input.hasData) return bad("data is missing");
  if (!input.deferred.empty()) {
    auto document = later.openPart(input.deferred);
    if (!document) return fail(std::move(document).error());
    ondemand::array list;
    if (const auto error = (*document)->get_array().get(list)) return fail(later.syntax(error));
    SLIP_CHECK(readData(later, list, input));
  }
  return checkCounts(input);
}

Status readInputs(JsonText& text, ondemand::value value, std::vector<Input>& out) {
  auto list = listOf(value, "Expected \"inputs\" to be a list: it");
  if (!list) return bad("Expected \"inputs\" to be a list");
  for (auto element : *list) {
    ondemand::value v;
    if (const auto error = element.get(v)) return fail(text.syntax(error));
    Input& input = out.emplace_back();
    auto object = objectOf(v, fmt::format("inputs[{}]", out.size() - 1));
    if (!object) return fail(std::move(object).error());
    auto done = eachField(
        text, *object, [&](std::string_view key, ondemand::value field) { return readInputField(text, input, key, field); });
    if (!done) return isSyntax(done.error()) ? done : failIn(label(input, out.size() - 1), std::move(done).error());
  }
  return {};
}

Status readOutputs(JsonText& text, ondemand::value value, std::vector<RequestedOutput>& out) {
  if (value.raw_json_token().starts_with('n')) return {};
  auto list = listOf(value, "outputs");
  if (!list) return fail(std::move(list).error());
  for (auto element : *list) {
    ondemand::value v;
    if (const auto error = element.get(v)) return fail(text.syntax(error));
    const std::string what = fmt::format("outputs[{}]", out.size());
    RequestedOutput& output = out.emplace_back();
    auto object = objectOf(v, what);
    if (!object) return fail(std::move(object).error());
    auto done = eachField(text, *object, [&](std::string_view key, ondemand::value field) -> Status {
      if (key == "name") {
        SLIP_TRY(output.name, textOf(field, "name"));
      } else if (key == "parameters") {
        Parameters parameters;
        SLIP_CHECK(readParameters(text, field, parameters));
        for (const auto& [name, parameter] : parameters)
          if (const auto* truth = std::get_if<bool>(&parameter); name == "binary_data" && truth != nullptr)
            output.binary = *truth;
      }
      return {};
    });
    if (!done) return isSyntax(done.error()) ? done : failIn(what, std::move(done).error());
    if (output.name.empty()) return bad(what + ": name is missing");
  }
  return {};
}
}  // namespace

struct V2Reader::State {
  JsonText text;
  JsonText later;  // for `data` that stands before `datatype`

  Status readRequestField(V2Request& request, std::vector<Input>& inputs, std::string_view key, ondemand::value v) {
    if (key == "inputs") {
      inputs.clear();
      return readInputs(text, v, inputs);
    }
    if (key == "outputs") return readOutputs(text, v, request.outputs);
    if (key == "id" && !v.raw_json_token().starts_with('n')) {
      SLIP_TRY(request.id, textOf(v, "id"));
    } else if (key == "parameters") {
      return readParameters(text, v, request.parameters);
    }
    return {};
  }

  Result<V2Request> read(std::string_view json, std::string_view tail) {
    auto document = text.open(json);
    if (!document) return fail(std::move(document).error());
    ondemand::object object;
    if (const auto error = (*document)->get_object().get(object))
      return error != simdjson::INCORRECT_TYPE ? fail(text.syntax(error))
                                               : bad("Unrecognized request format: expected an object with \"inputs\"");
    V2Request request;
    std::vector<Input> inputs;
    SLIP_CHECK(eachField(
        text, object, [&](std::string_view key, ondemand::value v) { return readRequestField(request, inputs, key, v); }));
    if (!text.atEnd()) return fail(text.syntax(simdjson::TAPE_ERROR));
    if (inputs.empty()) return bad("Expected \"inputs\" to be a list of at least one tensor");
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      auto done = finishInput(later, inputs[i], tail);
      if (!done)
        return isSyntax(done.error()) ? fail(std::move(done).error()) : failIn(label(inputs[i], i), std::move(done).error());
      request.inputs.push_back(std::move(inputs[i].tensor));
    }
    if (!tail.empty())
      return bad(fmt::format("{} bytes follow the last tensor: check binary_data_size and Inference-Header-Content-Length",
                             tail.size()));
    for (const auto& [name, value] : request.parameters)
      if (const auto* truth = std::get_if<bool>(&value); name == "binary_data_output" && truth != nullptr)
        request.binaryOutputs = *truth;
    return request;
  }

  Result<V2Request> readAndRelease(std::string_view json, std::string_view tail) {
    auto request = read(json, tail);
    text.release();
    later.release();
    return request;
  }
};

V2Reader::V2Reader() : state_(std::make_unique<State>()) {}
V2Reader::~V2Reader() = default;

Result<V2Request> V2Reader::readJson(std::string_view body) { return state_->readAndRelease(body, {}); }

Result<V2Request> V2Reader::readBinary(std::string_view body, std::size_t headerLength) {
  if (headerLength > body.size())
    return bad(fmt::format("Inference-Header-Content-Length is {}, but the body has {} bytes", headerLength, body.size()));
  return state_->readAndRelease(body.substr(0, headerLength), body.substr(headerLength));
}

}  // namespace slipway::protocol

#include "protocol/v2_grpc.h"

#include <simdjson.h>

#include <bit>
#include <limits>

#include "data/protobuf_wire.h"
#include "protocol/v2_tensors.h"

namespace slipway::protocol {
namespace {
using protobuf::Field;
using protobuf::Reader;

tl::unexpected<Error> bad(std::string message) { return fail(Code::BadRequest, std::move(message)); }

tl::unexpected<Error> malformed(std::string_view what) {
  return bad(fmt::format("{} is not a valid protobuf message", what));
}

// Calls each(field) for every field until one refuses.
template <class F>
Status eachField(std::string_view bytes, std::string_view what, F each) {
  Reader reader(bytes);
  while (!reader.done()) {
    const auto field = reader.next();
    if (!field) return malformed(what);
    SLIP_CHECK(each(*field));
  }
  return {};
}

Result<std::string> text(const Field& field, std::string_view what) {
  if (field.type != protobuf::Bytes) return malformed(what);
  if (!simdjson::validate_utf8(field.bytes.data(), field.bytes.size())) return bad(fmt::format("{} is not UTF-8", what));
  return std::string(field.bytes);
}

Status readParameter(Parameters& out, std::string key, std::string_view value) {
  return eachField(value, "parameters", [&](const Field& f) -> Status {
    if (f.number == 3) {
      SLIP_TRY(auto string, text(f, "parameters"));
      out.emplace_back(key, std::move(string));
      return {};
    }
    if (f.type == protobuf::Bytes) return {};
    switch (f.number) {
      case 1: out.emplace_back(key, f.value != 0); break;
      case 2: out.emplace_back(key, static_cast<std::int64_t>(f.value)); break;
      case 4: out.emplace_back(key, std::bit_cast<double>(f.value)); break;
      case 5:
        if (f.value <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()))
          out.emplace_back(key, static_cast<std::int64_t>(f.value));
        else
          out.emplace_back(key, static_cast<double>(f.value));
        break;
      default: break;
    }
    return {};
  });
}

// One entry of map<string, InferParameter>.
Status readParameterEntry(Parameters& out, const Field& entry) {
  if (entry.type != protobuf::Bytes) return malformed("parameters");
  std::string key;
  std::string_view value;
  SLIP_CHECK(eachField(entry.bytes, "parameters", [&](const Field& f) -> Status {
    if (f.number == 1) {
      SLIP_TRY(key, text(f, "parameters"));
    } else if (f.number == 2) {
      value = f.bytes;
    }
    return {};
  }));
  return readParameter(out, std::move(key), value);
}

Status addDimension(Shape& shape, std::uint64_t value) {
  const auto dimension = static_cast<std::int64_t>(value);
  if (dimension < 0) return bad(fmt::format("shape has the dimension {}: use integers >= 0", dimension));
  if (shape.size() >= 32) return bad("shape has more than 32 dimensions");
  shape.push_back(dimension);
  return {};
}

// A repeated number comes packed in one field or as a field of its own for each.
template <class F>
Status eachVarint(const Field& field, std::string_view what, F each) {
  if (field.type == protobuf::Varint) return each(field.value);
  if (field.type != protobuf::Bytes) return malformed(what);
  Reader reader(field.bytes);
  while (!reader.done()) {
    const auto value = reader.varint();
    if (!value) return malformed(what);
    SLIP_CHECK(each(*value));
  }
  return {};
}

struct Input {
  Tensor tensor;
  bool hasType = false;
  std::vector<std::string_view> contents;
};

Status readInputField(Input& input, const Field& f) {
  switch (f.number) {
    case 1: {
      SLIP_TRY(input.tensor.name, text(f, "name"));
      return {};
    }
    case 2: {
      SLIP_TRY(const auto name, text(f, "datatype"));
      const auto type = parseDataType(name);
      if (!type)
        return bad(fmt::format(
            "datatype '{}' is not known: use BOOL, UINT8 to UINT64, INT8 to INT64, FP16, FP32, FP64 or BYTES", name));
      input.tensor.type = *type;
      input.hasType = true;
      return {};
    }
    case 3: return eachVarint(f, "shape", [&](std::uint64_t v) { return addDimension(input.tensor.shape, v); });
    case 5:
      if (f.type != protobuf::Bytes) return malformed("contents");
      if (!f.bytes.empty()) input.contents.push_back(f.bytes);
      return {};
    default: return {};
  }
}

constexpr std::string_view kContents[] = {"",
                                          "bool_contents",
                                          "int_contents",
                                          "int64_contents",
                                          "uint_contents",
                                          "uint64_contents",
                                          "fp32_contents",
                                          "fp64_contents",
                                          "bytes_contents"};

std::uint32_t contentsField(DataType type) {
  switch (type) {
    case DataType::Bool: return 1;
    case DataType::Int8:
    case DataType::Int16:
    case DataType::Int32: return 2;
    case DataType::Int64: return 3;
    case DataType::Uint8:
    case DataType::Uint16:
    case DataType::Uint32: return 4;
    case DataType::Uint64: return 5;
    case DataType::Fp32: return 6;
    case DataType::Fp64: return 7;
    case DataType::Bytes: return 8;
    default: return 0;  // raw only
  }
}

template <class T>
Status addInteger(Tensor& t, std::uint64_t value) {
  const auto n = static_cast<std::int64_t>(value);
  if (n < static_cast<std::int64_t>(std::numeric_limits<T>::min()) ||
      n > static_cast<std::int64_t>(std::numeric_limits<T>::max()))
    return bad(fmt::format("{} does not fit {}", n, dataTypeName(t.type)));
  t.data.push(static_cast<T>(n));
  return {};
}

Status addVarint(Tensor& t, std::uint64_t v) {
  switch (t.type) {
    case DataType::Bool: t.data.push(static_cast<std::uint8_t>(v != 0)); return {};
    case DataType::Int8: return addInteger<std::int8_t>(t, v);
    case DataType::Int16: return addInteger<std::int16_t>(t, v);
    case DataType::Int32: return addInteger<std::int32_t>(t, v);
    case DataType::Uint8: return addInteger<std::uint8_t>(t, v);
    case DataType::Uint16: return addInteger<std::uint16_t>(t, v);
    case DataType::Uint32: return addInteger<std::uint32_t>(t, v);
    default: t.data.push(v); return {};  // Int64, Uint64
  }
}

Status addContents(Tensor& t, const Field& f) {
  if (t.type == DataType::Bytes) {
    if (f.type != protobuf::Bytes) return malformed("contents");
    t.texts.emplace_back(f.bytes);
    return {};
  }
  if (t.type != DataType::Fp32 && t.type != DataType::Fp64)
    return eachVarint(f, "contents", [&](std::uint64_t v) { return addVarint(t, v); });
  const bool wide = t.type == DataType::Fp64;
  if (f.type == protobuf::Bytes && f.bytes.size() % (wide ? 8 : 4) == 0) {  // packed: the tensor's own form
    t.data.append(f.bytes);
    return {};
  }
  if (f.type != (wide ? protobuf::Fixed64 : protobuf::Fixed32)) return malformed("contents");
  if (wide)
    t.data.push(f.value);
  else
    t.data.push(static_cast<std::uint32_t>(f.value));
  return {};
}

Status readContents(Input& input) {
  Tensor& t = input.tensor;
  const auto own = contentsField(t.type);
  for (const auto part : input.contents) {
    SLIP_CHECK(eachField(part, "contents", [&](const Field& f) -> Status {
      if (f.number == own) return addContents(t, f);
      if (f.number == 0 || f.number > 8 || (f.type == protobuf::Bytes && f.bytes.empty())) return {};
      if (own == 0)
        return bad(fmt::format("datatype {} has no field in contents: send it in raw_input_contents", dataTypeName(t.type)));
      return bad(
          fmt::format("datatype {} goes in {}, not in {}", dataTypeName(t.type), kContents[own], kContents[f.number]));
    }));
  }
  SLIP_TRY(const std::size_t expected, elementsOf(t.shape));
  if (t.elements() != expected)
    return bad(
        fmt::format("contents has {} elements, but shape {} takes {}", t.elements(), describeShape(t.shape), expected));
  return {};
}

Status takeRaw(Input& input, std::string_view raw, std::size_t index) {
  if (!input.contents.empty()) return bad("has contents, but the request has raw_input_contents too: send one of them");
  SLIP_CHECK(detail::setRaw(input.tensor, raw, fmt::format("raw_input_contents[{}] has a size of", index)));
  SLIP_TRY(const std::size_t expected, elementsOf(input.tensor.shape));
  if (input.tensor.elements() != expected)
    return bad(fmt::format("raw_input_contents[{}] has {} elements, but shape {} takes {}", index, input.tensor.elements(),
                           describeShape(input.tensor.shape), expected));
  return {};
}

Status finishInput(Input& input, const std::vector<std::string_view>& raw, std::size_t index) {
  if (input.tensor.name.empty()) return bad("name is missing");
  if (!input.hasType) return bad("datatype is missing");
  return raw.empty() ? readContents(input) : takeRaw(input, raw[index], index);
}

tl::unexpected<Error> inInput(const Input& input, std::size_t index, Error error) {
  return failIn(input.tensor.name.empty() ? fmt::format("inputs[{}]", index) : fmt::format("input '{}'", input.tensor.name),
                std::move(error));
}

Status readOutput(RequestedOutput& output, const Field& field) {
  if (field.type != protobuf::Bytes) return malformed("outputs");
  SLIP_CHECK(eachField(field.bytes, "outputs", [&](const Field& f) -> Status {
    if (f.number != 1) return {};
    SLIP_TRY(output.name, text(f, "outputs.name"));
    return {};
  }));
  if (output.name.empty()) return bad("an output of the request has no name");
  return {};
}

Status readRequestField(GrpcInfer& call, std::vector<Input>& inputs, std::vector<std::string_view>& raw, const Field& f) {
  switch (f.number) {
    case 1: {
      SLIP_TRY(call.model.name, text(f, "model_name"));
      return {};
    }
    case 2: {
      SLIP_TRY(call.model.version, text(f, "model_version"));
      return {};
    }
    case 3: {
      SLIP_TRY(call.request.id, text(f, "id"));
      return {};
    }
    case 4: return readParameterEntry(call.request.parameters, f);
    case 5: {
      if (f.type != protobuf::Bytes) return malformed("inputs");
      Input& input = inputs.emplace_back();
      auto done = eachField(f.bytes, "inputs", [&](const Field& part) { return readInputField(input, part); });
      return done ? Status{} : Status(inInput(input, inputs.size() - 1, std::move(done).error()));
    }
    case 6: return readOutput(call.request.outputs.emplace_back(), f);
    case 7:
      if (f.type != protobuf::Bytes) return malformed("raw_input_contents");
      raw.push_back(f.bytes);
      return {};
    default: return {};
  }
}

void appendText(std::string& out, std::uint32_t field, std::string_view value) {
  if (!value.empty()) protobuf::appendBytes(out, field, value);
}

void appendShape(std::string& out, std::uint32_t field, const Shape& shape) {
  if (shape.empty()) return;
  std::string packed;
  for (const auto dimension : shape) protobuf::appendVarint(packed, static_cast<std::uint64_t>(dimension));
  protobuf::appendBytes(out, field, packed);
}

template <class T>
void packVarints(std::string& out, const Tensor& t) {
  for (const T v : t.values<T>()) protobuf::appendVarint(out, static_cast<std::uint64_t>(static_cast<std::int64_t>(v)));
}

std::string contentsOf(const Tensor& t) {
  std::string packed, out;
  switch (t.type) {
    case DataType::Bytes:
      for (const auto& element : t.texts) protobuf::appendBytes(out, 8, element);
      return out;
    case DataType::Fp32:
    case DataType::Fp64: packed = t.data.view(); break;
    case DataType::Bool:
    case DataType::Uint8: packVarints<std::uint8_t>(packed, t); break;
    case DataType::Uint16: packVarints<std::uint16_t>(packed, t); break;
    case DataType::Uint32: packVarints<std::uint32_t>(packed, t); break;
    case DataType::Int8: packVarints<std::int8_t>(packed, t); break;
    case DataType::Int16: packVarints<std::int16_t>(packed, t); break;
    case DataType::Int32: packVarints<std::int32_t>(packed, t); break;
    default: packVarints<std::int64_t>(packed, t); break;  // Int64, Uint64
  }
  if (!packed.empty()) protobuf::appendBytes(out, contentsField(t.type), packed);
  return out;
}

void appendSpecs(std::string& out, std::uint32_t field, std::span<const TensorSpec> specs) {
  for (const auto& spec : specs) {
    std::string one;
    appendText(one, 1, spec.name);
    appendText(one, 2, dataTypeName(spec.type));
    appendShape(one, 3, spec.shape);
    protobuf::appendBytes(out, field, one);
  }
}

}  // namespace

Result<GrpcInfer> readInferRequest(std::string_view message) {
  GrpcInfer call;
  std::vector<Input> inputs;
  std::vector<std::string_view> raw;
  SLIP_CHECK(
      eachField(message, "ModelInferRequest", [&](const Field& f) { return readRequestField(call, inputs, raw, f); }));
  if (call.model.name.empty()) return bad("model_name is missing");
  if (inputs.empty()) return bad("inputs is empty: send at least one tensor");
  if (!raw.empty() && raw.size() != inputs.size())
    return bad(fmt::format("raw_input_contents has {} elements, but there are {} inputs", raw.size(), inputs.size()));
  call.raw = !raw.empty();
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    auto done = finishInput(inputs[i], raw, i);
    if (!done) return inInput(inputs[i], i, std::move(done).error());
    call.request.inputs.push_back(std::move(inputs[i].tensor));
  }
  return call;
}

Result<std::string> writeInferResponse(const V2Reply& reply, const GrpcInfer& call) {
  SLIP_TRY(const auto chosen, detail::chooseOutputs(reply.outputs, call.request));
  const bool raw = call.raw || std::any_of(chosen.begin(), chosen.end(),
                                           [](const auto& c) { return contentsField(c.tensor->type) == 0; });
  std::size_t size = 256;
  for (const auto& c : chosen) size += raw ? detail::rawSize(*c.tensor) + 100 : 100;
  std::string out;
  out.reserve(size);
  appendText(out, 1, reply.model);
  appendText(out, 2, reply.version);
  appendText(out, 3, reply.id);
  for (const auto& c : chosen) {
    std::string one;
    appendText(one, 1, c.tensor->name);
    appendText(one, 2, dataTypeName(c.tensor->type));
    appendShape(one, 3, c.tensor->shape);
    if (!raw) protobuf::appendBytes(one, 5, contentsOf(*c.tensor));
    protobuf::appendBytes(out, 5, one);
  }
  if (!raw) return out;
  for (const auto& c : chosen) {
    protobuf::appendTag(out, 6, protobuf::Bytes);
    protobuf::appendVarint(out, detail::rawSize(*c.tensor));
    detail::appendRaw(out, *c.tensor);
  }
  return out;
}

std::string writeStreamResponse(std::string_view inferResponse) {
  std::string out;
  protobuf::appendBytes(out, 2, inferResponse);
  return out;
}

std::string writeStreamError(std::string_view message) {
  std::string out;
  protobuf::appendBytes(out, 1, message);
  return out;
}

Result<ModelRef> readModelRef(std::string_view message) {
  ModelRef ref;
  SLIP_CHECK(eachField(message, "the request", [&](const Field& f) -> Status {
    if (f.number == 1) {
      SLIP_TRY(ref.name, text(f, "name"));
    } else if (f.number == 2) {
      SLIP_TRY(ref.version, text(f, "version"));
    }
    return {};
  }));
  if (ref.name.empty()) return bad("name is missing");
  return ref;
}

std::string writeReady(bool ready) {
  std::string out;
  if (ready) protobuf::appendNumber(out, 1, 1);
  return out;
}

std::string writeServerMetadata(std::string_view name, std::string_view version,
                                std::span<const std::string_view> extensions) {
  std::string out;
  appendText(out, 1, name);
  appendText(out, 2, version);
  for (const auto extension : extensions) protobuf::appendBytes(out, 3, extension);
  return out;
}

std::string writeModelMetadata(std::string_view name, std::string_view version, std::string_view platform,
                               std::span<const TensorSpec> inputs, std::span<const TensorSpec> outputs) {
  std::string out;
  appendText(out, 1, name);
  appendText(out, 2, version);
  appendText(out, 3, platform);
  appendSpecs(out, 4, inputs);
  appendSpecs(out, 5, outputs);
  return out;
}

Result<bool> readIndexRequest(std::string_view message) {
  bool ready = false;
  SLIP_CHECK(eachField(message, "RepositoryIndexRequest", [&](const Field& f) -> Status {
    if (f.number == 2) ready = f.value != 0;
    return {};
  }));
  return ready;
}

std::string writeIndex(std::span<const IndexEntry> entries) {
  std::string out;
  for (const auto& entry : entries) {
    std::string one;
    appendText(one, 1, entry.name);
    appendText(one, 2, entry.version);
    appendText(one, 3, entry.state);
    appendText(one, 4, entry.reason);
    protobuf::appendBytes(out, 1, one);
  }
  return out;
}

Result<std::string> readRepositoryModel(std::string_view message) {
  std::string kserve, triton;
  SLIP_CHECK(eachField(message, "the request", [&](const Field& f) -> Status {
    if (f.number == 1) {
      SLIP_TRY(kserve, text(f, "model_name"));
    } else if (f.number == 2) {
      SLIP_TRY(triton, text(f, "model_name"));
    }
    return {};
  }));
  if (kserve.empty() && triton.empty()) return bad("model_name is missing");
  return triton.empty() ? kserve : triton;
}

std::string writeRepositoryModel(std::string_view name, bool done) {
  std::string out;
  appendText(out, 1, name);
  if (done) protobuf::appendNumber(out, 2, 1);
  return out;
}

}  // namespace slipway::protocol

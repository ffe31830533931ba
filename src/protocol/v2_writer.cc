#include "protocol/json_writer.h"
#include "protocol/v2.h"

namespace slipway::protocol {
namespace {
struct Chosen {
  const Tensor* tensor;
  bool binary;
};

Result<std::vector<Chosen>> choose(std::span<const Tensor> outputs, const V2Request& request) {
  std::vector<Chosen> chosen;
  chosen.reserve(outputs.size());
  for (const Tensor& t : outputs) {
    const auto wanted =
        std::find_if(request.outputs.begin(), request.outputs.end(), [&](const auto& r) { return r.name == t.name; });
    if (wanted != request.outputs.end())
      chosen.push_back({&t, wanted->binary.value_or(request.binaryOutputs)});
    else if (request.outputs.empty())
      chosen.push_back({&t, request.binaryOutputs});
  }
  for (const auto& r : request.outputs)
    if (std::none_of(outputs.begin(), outputs.end(), [&](const Tensor& t) { return t.name == r.name; })) {
      std::string names;
      for (const Tensor& t : outputs) names += (names.empty() ? "" : ", ") + t.name;
      return fail(Code::BadRequest, fmt::format("output '{}' does not exist; this model has {}", r.name, names));
    }
  return chosen;
}

std::string rawOf(const Tensor& t) {
  if (t.type != DataType::Bytes) return std::string(t.data.view());
  std::string out;
  for (const std::string& text : t.texts) {
    const auto length = static_cast<std::uint32_t>(text.size());
    out.append(reinterpret_cast<const char*>(&length), 4);
    out += text;
  }
  return out;
}

void appendShape(std::string& out, const Shape& shape) {
  out += '[';
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i > 0) out += ',';
    appendInt(out, shape[i]);
  }
  out += ']';
}

void appendSpecs(std::string& out, std::span<const TensorSpec> specs) {
  for (std::size_t i = 0; i < specs.size(); ++i) {
    out += i > 0 ? ",{\"name\":" : "{\"name\":";
    appendString(out, specs[i].name);
    out += ",\"datatype\":\"";
    out += dataTypeName(specs[i].type);
    out += "\",\"shape\":";
    appendShape(out, specs[i].shape);
    out += '}';
  }
}

void appendOutput(std::string& out, const Chosen& chosen, std::string& raw) {
  const Tensor& t = *chosen.tensor;
  out += "{\"name\":";
  appendString(out, t.name);
  out += ",\"shape\":";
  appendShape(out, t.shape);
  out += ",\"datatype\":\"";
  out += dataTypeName(t.type);
  if (chosen.binary) {
    const std::string bytes = rawOf(t);
    out += "\",\"parameters\":{\"binary_data_size\":";
    appendUint(out, bytes.size());
    out += "}}";
    raw += bytes;
    return;
  }
  out += "\",\"data\":[";
  appendElements(out, t, 0, t.elements());
  out += "]}";
}
}  // namespace

Result<V2Written> writeV2Response(const V2Reply& reply, const V2Request& request) {
  SLIP_TRY(const auto chosen, choose(reply.outputs, request));
  V2Written written;
  std::string& out = written.body;
  out.reserve(256);
  out += "{\"model_name\":";
  appendString(out, reply.model);
  if (!reply.version.empty()) {
    out += ",\"model_version\":";
    appendString(out, reply.version);
  }
  out += ",\"id\":";
  appendString(out, reply.id);
  out += ",\"outputs\":[";
  std::string raw;
  bool binary = false;
  for (std::size_t i = 0; i < chosen.size(); ++i) {
    if (i > 0) out += ',';
    appendOutput(out, chosen[i], raw);
    binary = binary || chosen[i].binary;
  }
  out += "]}";
  if (binary) {
    written.headerLength = out.size();
    out += raw;
  }
  return written;
}

std::string modelMetadataBody(std::string_view name, std::string_view platform, std::span<const TensorSpec> inputs,
                              std::span<const TensorSpec> outputs) {
  std::string out = "{\"name\":";
  appendString(out, name);
  out += ",\"versions\":[\"1\"],\"platform\":";
  appendString(out, platform);
  out += ",\"inputs\":[";
  appendSpecs(out, inputs);
  out += "],\"outputs\":[";
  appendSpecs(out, outputs);
  return out + "]}";
}

}  // namespace slipway::protocol

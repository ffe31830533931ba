#include "protocol/json_writer.h"
#include "protocol/v2.h"
#include "protocol/v2_tensors.h"

namespace slipway::protocol {
namespace {
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

void appendOutput(std::string& out, const detail::ChosenOutput& chosen, std::string& raw) {
  const Tensor& t = *chosen.tensor;
  out += "{\"name\":";
  appendString(out, t.name);
  out += ",\"shape\":";
  appendShape(out, t.shape);
  out += ",\"datatype\":\"";
  out += dataTypeName(t.type);
  if (chosen.binary) {
    const std::string bytes = detail::rawBytes(t);
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
  SLIP_TRY(const auto chosen, detail::chooseOutputs(reply.outputs, request));
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

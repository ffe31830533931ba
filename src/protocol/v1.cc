#include "protocol/v1.h"

#include "protocol/json_reader.h"
#include "protocol/json_writer.h"

namespace slipway::protocol {
namespace {
Status readInstances(detail::JsonText& text, detail::ondemand::value value, std::string_view key, Tensor& tensor) {
  if (!value.raw_json_token().starts_with('['))
    return fail(Code::BadRequest, fmt::format("Expected \"{}\" to be a list", key));
  detail::ondemand::array list;
  if (const auto error = value.get_array().get(list)) return fail(text.syntax(error));
  tensor.name = key;
  tensor.data.clear();
  tensor.texts.clear();
  detail::ListReader reader(text, tensor, true);
  auto done = reader.read(list);
  if (!done)
    return done.error().message.starts_with("Unrecognized")
               ? done
               : fail(Code::BadRequest, fmt::format("\"{}\": {}", key, done.error().message));
  tensor.shape = reader.shape();
  return {};
}
}  // namespace

struct V1Reader::State {
  detail::JsonText text;
};

V1Reader::V1Reader() : state_(std::make_unique<State>()) {}
V1Reader::~V1Reader() = default;

Result<Tensor> V1Reader::read(std::string_view body) {
  detail::JsonText& text = state_->text;
  struct Release {
    detail::JsonText& t;
    ~Release() { t.release(); }
  } release{text};
  auto document = text.open(body);
  if (!document) return fail(std::move(document).error());
  detail::ondemand::object object;
  if (const auto error = (*document)->get_object().get(object))
    return error != simdjson::INCORRECT_TYPE
               ? fail(text.syntax(error))
               : fail(Code::BadRequest,
                      "Unrecognized request format: expected an object such as {\"instances\": [[1.0, 2.0]]}");
  Tensor tensor;
  bool found = false;
  for (auto field : object) {
    std::string_view key;
    if (const auto error = field.unescaped_key().get(key)) return fail(text.syntax(error));
    const bool instances = key == "instances";
    if (!instances && (key != "inputs" || found)) continue;
    detail::ondemand::value value;
    if (const auto error = field.value().get(value)) return fail(text.syntax(error));
    SLIP_CHECK(readInstances(text, value, instances ? "instances" : "inputs", tensor));
    found = true;
  }
  if (!text.atEnd()) return fail(text.syntax(simdjson::TAPE_ERROR));
  if (!found)
    return fail(Code::BadRequest,
                "Expected \"instances\" or \"inputs\" in the request, for example {\"instances\": [[1.0, 2.0]]}");
  return tensor;
}

void writeV1Response(std::string& out, std::span<const Tensor> outputs) {
  out += "{\"predictions\":";
  if (outputs.size() == 1) {
    appendNested(out, outputs[0]);
  } else {
    out += '{';
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      if (i > 0) out += ',';
      appendString(out, outputs[i].name);
      out += ':';
      appendNested(out, outputs[i]);
    }
    out += '}';
  }
  out += '}';
}

std::string errorBody(std::string_view message) {
  std::string out = "{\"error\":";
  appendString(out, message);
  return out + "}";
}

}  // namespace slipway::protocol

#include "protocol/v2_tensors.h"

namespace slipway::protocol::detail {
namespace {

tl::unexpected<Error> bad(std::string message) { return fail(Code::BadRequest, std::move(message)); }

// Text elements carry a 4-byte little-endian length each.
Status splitTexts(std::string_view raw, std::vector<std::string>& out) {
  while (!raw.empty()) {
    std::uint32_t length = 0;
    if (raw.size() < 4) return bad("its binary data ends inside an element's length");
    std::memcpy(&length, raw.data(), 4);
    raw.remove_prefix(4);
    if (length > raw.size())
      return bad(fmt::format("element {} claims {} bytes, {} are left", out.size(), length, raw.size()));
    out.emplace_back(raw.substr(0, length));
    raw.remove_prefix(length);
  }
  return {};
}

}  // namespace

Result<std::vector<ChosenOutput>> chooseOutputs(std::span<const Tensor> outputs, const V2Request& request) {
  std::vector<ChosenOutput> chosen;
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
      return bad(fmt::format("output '{}' does not exist; this model has {}", r.name, names));
    }
  return chosen;
}

std::size_t rawSize(const Tensor& t) {
  if (t.type != DataType::Bytes) return t.data.size();
  std::size_t size = 4 * t.texts.size();
  for (const std::string& text : t.texts) size += text.size();
  return size;
}

void appendRaw(std::string& out, const Tensor& t) {
  if (t.type != DataType::Bytes) {
    out.append(t.data.view());
    return;
  }
  for (const std::string& text : t.texts) {
    const auto length = static_cast<std::uint32_t>(text.size());
    out.append(reinterpret_cast<const char*>(&length), 4);
    out += text;
  }
}

std::string rawBytes(const Tensor& t) {
  std::string out;
  out.reserve(rawSize(t));
  appendRaw(out, t);
  return out;
}

Status setRaw(Tensor& tensor, std::string_view raw, std::string_view what) {
  SLIP_TRY(const std::size_t elements, elementsOf(tensor.shape));
  if (tensor.type == DataType::Bytes) return splitTexts(raw, tensor.texts);
  const std::size_t width = elementSize(tensor.type);
  if (raw.size() % width != 0 || raw.size() / width != elements)
    return bad(fmt::format("{} {}, but shape {} of {} takes {} bytes", what, raw.size(), describeShape(tensor.shape),
                           dataTypeName(tensor.type), elements * width));
  if (tensor.type == DataType::Bool)
    for (const char c : raw)
      if (static_cast<unsigned char>(c) > 1) return bad("a BOOL element is neither 0 nor 1");
  tensor.data.append(raw);
  return {};
}

}  // namespace slipway::protocol::detail

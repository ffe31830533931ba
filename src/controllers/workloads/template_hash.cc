#include "controllers/workloads/template_hash.h"

namespace slipway::workloads {
namespace {

Json withoutHash(Json podTemplate) {
  if (!at(podTemplate, "metadata", "labels").is_object()) return podTemplate;
  auto& meta = podTemplate["metadata"];
  meta["labels"].erase(kTemplateHashLabel);
  if (meta["labels"].empty()) meta.erase("labels");
  return podTemplate;
}

}  // namespace

std::string templateHash(const Json& podTemplate, std::int64_t collisionCount) {
  std::uint32_t hash = 2166136261u;  // FNV-1a
  auto mix = [&](const std::string& text) {
    for (unsigned char c : text) hash = (hash ^ c) * 16777619u;
  };
  mix(dumpJson(podTemplate));
  if (collisionCount != 0) mix(std::to_string(collisionCount));
  static constexpr std::string_view kAlphabet = "bcdfghjklmnpqrstvwxz2456789";
  std::string out = std::to_string(hash);
  for (char& c : out) c = kAlphabet[static_cast<unsigned char>(c) % kAlphabet.size()];
  return out;
}

bool sameTemplate(const Json& a, const Json& b) { return withoutHash(a) == withoutHash(b); }

}  // namespace slipway::workloads

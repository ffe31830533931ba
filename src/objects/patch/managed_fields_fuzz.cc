// Any sequence of applies and updates by three managers on three kinds. Bodies are JSON texts with a zero byte between them;
// the first byte of each chooses manager and verb. Nothing crashes; entries that were written are read back the same; and
// the same apply again conflicts with nobody and changes nothing.
#include <cstdio>
#include <cstdlib>

#include "objects/patch/managed_fields.h"
#include "objects/patch/ownership.h"

namespace {

using namespace slipway;

struct Sequence {
  const Catalog& catalog;
  const Resource& resource;
  Json live = nullptr;

  void step(std::uint8_t choice, std::string_view text) {
    Json body = Json::parse(text, nullptr, false);
    if (!body.is_object()) return;
    catalog.prune(resource, body);
    body["metadata"]["name"] = "x";
    const auto errors = catalog.validate(resource, body);
    if (!errors.empty() && errors.front().reason == "FieldValueTypeInvalid") return;  // never gets this far
    const char* names[] = {"a", "b", "kubectl"};
    const FieldManager manager{names[choice % 3], "", resource.apiVersion(), (choice & 8) != 0, "2026-01-01T00:00:00Z"};
    if ((choice & 16) == 0)
      apply(manager, body);
    else
      live = trackUpdate(catalog, resource, live, body, manager);
    check(at(live, "metadata", "managedFields"));
  }

  void apply(const FieldManager& manager, const Json& body) {
    auto out = applyServerSide(catalog, resource, live, body, manager);
    if (!out || !out->conflicts.empty()) return;
    live = out->object;
    if (at(live, "metadata", "managedFields").is_null()) return;  // the next apply finds an object that nobody tracked
    auto again = applyServerSide(catalog, resource, live, body, manager);
    if (!again || !again->conflicts.empty() || again->object != live) {
      std::fprintf(stderr, "not the same again: %s\n%s\n", dumpJson(body).c_str(), dumpJson(live).c_str());
      std::abort();
    }
  }

  void check(const Json& written) const {
    Json copy = Json::object();
    patch::setEntries(copy, patch::readEntries(written));
    if (at(copy, "metadata", "managedFields") != written) std::abort();
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const auto& catalog = *Catalog::builtin();
  static const Resource* kinds[] = {catalog.find("", "v1", "configmaps"), catalog.find("apps", "v1", "deployments"),
                                    catalog.find("serving.kserve.io", "v1beta1", "inferenceservices")};
  Sequence sequence{catalog, *kinds[data[0] % 3]};
  std::string_view rest(reinterpret_cast<const char*>(data) + 1, size - 1);
  for (int steps = 0; !rest.empty() && steps < 12; ++steps) {
    const auto end = std::min(rest.find('\0'), rest.size());
    const std::string_view one = rest.substr(0, end);
    if (!one.empty()) sequence.step(static_cast<std::uint8_t>(one[0]), one.substr(1));
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return 0;
}

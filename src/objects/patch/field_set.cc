#include "objects/patch/field_set.h"

namespace slipway::patch {
namespace {

// The members of one level before anything deeper, as kube-apiserver lists conflicts.
void collect(const FieldSet& set, const std::string& path, std::vector<std::string>& out) {
  for (const auto& [step, child] : set.children) {
    if (child.member) out.push_back(path + readableStep(step));
  }
  for (const auto& [step, child] : set.children) collect(child, path + readableStep(step), out);
}

}  // namespace

std::string readableStep(const std::string& step) {
  const std::string rest = step.substr(2);
  if (step[0] == 'f') return "." + rest;
  if (step[0] == 'i') return "[" + rest + "]";
  if (step[0] == 'v') return "[=" + rest + "]";
  auto keys = parseJson(rest);
  if (!keys || !keys->is_object()) return "[" + rest + "]";
  std::string out;
  for (const auto& [name, value] : keys->items()) out += (out.empty() ? "" : ",") + name + "=" + dumpJson(value);
  return "[" + out + "]";
}

const FieldSet* FieldSet::child(const std::string& step) const {
  auto it = children.find(step);
  return it == children.end() ? nullptr : &it->second;
}

FieldSet FieldSet::fromFieldsV1(const Json& fields) {
  FieldSet out;
  if (!fields.is_object()) return out;
  for (const auto& [step, value] : fields.items()) {
    if (step == ".") {
      out.member = true;
    } else if (step.size() >= 2 && step[1] == ':') {
      FieldSet inner = fromFieldsV1(value);
      if (value.empty()) inner.member = true;
      out.children.emplace(step, std::move(inner));
    }
  }
  return out;
}

Json FieldSet::toFieldsV1() const {
  Json out = Json::object();
  if (member && !children.empty()) out["."] = Json::object();
  for (const auto& [step, child] : children) out[step] = child.toFieldsV1();
  return out;
}

FieldSet FieldSet::unite(const FieldSet& other) const {
  FieldSet out = *this;
  out.member = member || other.member;
  for (const auto& [step, inner] : other.children) {
    auto [it, fresh] = out.children.try_emplace(step, inner);
    if (!fresh) it->second = it->second.unite(inner);
  }
  return out;
}

FieldSet FieldSet::intersect(const FieldSet& other) const {
  FieldSet out;
  out.member = member && other.member;
  for (const auto& [step, inner] : children) {
    const FieldSet* twin = other.child(step);
    if (twin == nullptr) continue;
    FieldSet both = inner.intersect(*twin);
    if (!both.empty()) out.children.emplace(step, std::move(both));
  }
  return out;
}

FieldSet FieldSet::subtract(const FieldSet& other) const {
  FieldSet out;
  out.member = member && !other.member;
  for (const auto& [step, inner] : children) {
    const FieldSet* twin = other.child(step);
    FieldSet rest = twin == nullptr ? inner : inner.subtract(*twin);
    if (!rest.empty()) out.children.emplace(step, std::move(rest));
  }
  return out;
}

std::vector<std::string> FieldSet::paths() const {
  std::vector<std::string> out;
  if (member) out.push_back("");
  collect(*this, "", out);
  return out;
}

}  // namespace slipway::patch

#include "data/json_pointer.h"
#include "objects/patch/patch.h"

namespace slipway {
namespace {

constexpr std::size_t kMaxOperations = 10000;  // as kube-apiserver

// kube-apiserver hides the cause of a patch that does not apply; it goes where clients that look can find it.
tl::unexpected<Error> doesNotApply(const std::string& why) {
  return fail(Code::Invalid, "the server rejected our request due to an error in our request: " + why);
}

struct Operation {
  std::string op, path, from;
  std::vector<std::string> steps, fromSteps;
  const Json* value = nullptr;
};

Result<Operation> readOperation(const Json& entry, std::size_t index) {
  Operation out;
  out.op = textAt(entry, "op");
  out.path = textAt(entry, "path");
  out.from = textAt(entry, "from");
  const bool moves = out.op == "move" || out.op == "copy";
  const bool known = moves || out.op == "add" || out.op == "remove" || out.op == "replace" || out.op == "test";
  if (!known)
    return fail(Code::BadRequest,
                fmt::format("json patch: operation {} has unknown op '{}'; use add, remove, replace, move, copy or test",
                            index, out.op));
  if (!entry.contains("path")) return fail(Code::BadRequest, fmt::format("json patch: operation {} has no path", index));
  SLIP_TRY(out.steps, pointerSteps(out.path));
  if (moves) {
    SLIP_TRY(out.fromSteps, pointerSteps(out.from));
  }
  if (entry.contains("value")) out.value = &entry["value"];
  if (out.value == nullptr && (out.op == "add" || out.op == "replace")) {
    return fail(Code::BadRequest, fmt::format("json patch: operation {} ({} {}) has no value", index, out.op, out.path));
  }
  return out;
}

class Document {
 public:
  explicit Document(Json root) : root_(std::move(root)) {}

  Status run(const Operation& o) {
    if (o.op == "add") return add(o, *o.value);
    if (o.op == "remove") return remove(o, o.steps, o.path);
    if (o.op == "replace") return replace(o);
    if (o.op == "test") return test(o);
    const Json* source = pointerFind(root_, o.fromSteps);
    if (source == nullptr) return missing(o, o.from);
    const Json value = *source;
    if (o.op == "move") {
      if (o.path.starts_with(o.from + "/")) return doesNotApply("move operation cannot move a value into itself");
      SLIP_CHECK(remove(o, o.fromSteps, o.from));
    }
    return add(o, value);
  }

  Json take() { return std::move(root_); }

 private:
  static tl::unexpected<Error> missing(const Operation& o, const std::string& path) {
    return doesNotApply(fmt::format("{} operation does not apply: doc is missing path: \"{}\"", o.op, path));
  }

  Status add(const Operation& o, const Json& value) {
    if (o.steps.empty()) {
      root_ = value;
      return {};
    }
    Json* parent = pointerFind(root_, {o.steps.begin(), o.steps.end() - 1});
    if (parent == nullptr) return missing(o, o.path);
    const std::string& last = o.steps.back();
    if (parent->is_object()) {
      (*parent)[last] = value;
      return {};
    }
    if (!parent->is_array()) return missing(o, o.path);
    if (last == "-") {
      parent->push_back(value);
      return {};
    }
    const auto index = pointerIndex(last, parent->size() + 1);
    if (!index)
      return doesNotApply(
          fmt::format("{} operation does not apply: index '{}' of \"{}\" is out of bounds", o.op, last, o.path));
    parent->insert(parent->begin() + static_cast<std::ptrdiff_t>(*index), value);
    return {};
  }

  Status remove(const Operation& o, const std::vector<std::string>& steps, const std::string& path) {
    if (steps.empty()) return doesNotApply(o.op + " operation cannot remove the whole object");
    Json* parent = pointerFind(root_, {steps.begin(), steps.end() - 1});
    if (parent == nullptr || pointerFind(*parent, {steps.back()}) == nullptr) return missing(o, path);
    if (parent->is_object())
      parent->erase(steps.back());
    else
      parent->erase(*pointerIndex(steps.back(), parent->size()));
    return {};
  }

  Status replace(const Operation& o) {
    Json* target = pointerFind(root_, o.steps);
    if (target == nullptr) return missing(o, o.path);
    *target = *o.value;
    return {};
  }

  Status test(const Operation& o) {
    const Json* target = pointerFind(root_, o.steps);
    const Json expected = o.value == nullptr ? Json() : *o.value;
    if (target == nullptr ? expected.is_null() : *target == expected) return {};
    return doesNotApply(fmt::format("testing path {} failed: {} is not {}", o.path,
                                    target == nullptr ? "nothing" : dumpJson(*target), dumpJson(expected)));
  }

  Json root_;
};

}  // namespace

Result<Json> jsonPatch(const Json& object, const Json& patch) {
  if (!patch.is_array()) return fail(Code::BadRequest, "error decoding patch: a JSON patch is a list of operations");
  if (patch.size() > kMaxOperations) {
    return fail(Code::TooLarge,
                fmt::format("The allowed maximum operations in a JSON patch is {}, got {}", kMaxOperations, patch.size()));
  }
  Document document(object);
  for (std::size_t i = 0; i < patch.size(); ++i) {
    SLIP_TRY(const Operation operation, readOperation(patch[i], i));
    SLIP_CHECK(document.run(operation));
  }
  return document.take();
}

Json mergePatch(Json object, const Json& patch) {
  object.merge_patch(patch);
  return object;
}

}  // namespace slipway

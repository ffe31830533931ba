// Replays what Kubernetes' own field manager (k8s.io/apimachinery v0.34.4) did with 300 random sequences of applies and
// updates: tests/data/server_side_apply.jsonl.gz, made by tests/oracle/server_side_apply. Every step starts from the
// recorded object, so one difference does not hide the next.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "data/gzip.h"
#include "objects/patch/managed_fields.h"

namespace slipway {
namespace {

std::string recording() {
  const char* root = std::getenv("SLIPWAY_SOURCE_DIR");
  std::ifstream file(std::string(root == nullptr ? "." : root) + "/tests/data/server_side_apply.jsonl.gz", std::ios::binary);
  std::stringstream packed;
  packed << file.rdbuf();
  auto text = gunzip(packed.str(), 16U << 20);
  return text ? *text : "";
}

// What a Go struct shows although nobody set it is not told apart: nulls, zeros, empty texts, objects and lists go.
Json bare(Json value) {
  if (value.is_object()) {
    for (auto it = value.begin(); it != value.end();) {
      *it = bare(std::move(*it));
      const bool empty = (it->is_object() || it->is_array()) && it->empty();
      const bool nothing = it->is_null() || empty || *it == "" || *it == 0;
      it = nothing ? value.erase(it) : std::next(it);
    }
  } else if (value.is_array()) {
    for (Json& item : value) item = bare(std::move(item));
  }
  return value;
}

Json withoutNulls(Json value) {
  if (value.is_object()) {
    for (auto it = value.begin(); it != value.end();) {
      *it = withoutNulls(std::move(*it));
      it = it->is_null() ? value.erase(it) : std::next(it);
    }
  } else if (value.is_array()) {
    for (Json& item : value) item = withoutNulls(std::move(item));
  }
  return value;
}

// Entries by who made them; of times only whether there is one.
Json entriesOf(const Json& object) {
  Json out = Json::object();
  for (const Json& e : at(object, "metadata", "managedFields")) {
    out[textAt(e, "manager") + "/" + textAt(e, "operation") + "/" + textAt(e, "apiVersion")] = {
        {"fields", e["fieldsV1"]}, {"timed", e.contains("time")}};
  }
  return out;
}

Json contentOf(Json object) {
  object["metadata"].erase("managedFields");
  object["metadata"].erase("uid");
  return bare(std::move(object));
}

std::string lineOf(const Json& entries) {
  std::string out;
  for (const auto& [who, entry] : entries.items()) out += "\n    " + who + " " + dumpJson(entry);
  return out;
}

struct Replay {
  const Resource& resource;
  Json live;
  int differences = 0;

  FieldManager managerOf(const Json& step, int second) const {
    return {textAt(step, "manager"), "", resource.apiVersion(), boolAt(step, "force"),
            fmt::format("2026-01-01T00:00:{:02}Z", second)};
  }

  void differ(const std::string& what, const Json& step) {
    ++differences;
    ADD_FAILURE() << what << "\n  live " << dumpJson(contentOf(live.is_object() ? live : Json{{"metadata", Json::object()}}))
                  << lineOf(entriesOf(live)) << "\n  body " << dumpJson(step["body"]) << "\n  by "
                  << textAt(step, "manager");
  }

  void compare(const Json& got, const Json& step) {
    const Json& want = step["result"];
    if (contentOf(got) != contentOf(want))
      differ("object\n  got  " + dumpJson(contentOf(got)) + "\n  want " + dumpJson(contentOf(want)), step);
    if (entriesOf(got) != entriesOf(want))
      differ(
          "entries after " + textAt(step, "op") + "\n  got" + lineOf(entriesOf(got)) + "\n  want" + lineOf(entriesOf(want)),
          step);
  }

  void apply(const Json& step, int second) {
    auto out = applyServerSide(*Catalog::builtin(), resource, live, withoutNulls(step["body"]), managerOf(step, second));
    if (!out) return differ(out.error().message, step);
    const std::string want = textAt(step, "error");
    const std::string got = out->conflicts.empty() ? "" : conflictError(out->conflicts).message;
    if (got != want) return differ("error\n  got  " + got + "\n  want " + want, step);
    if (want.empty()) compare(out->object, step);
  }

  void run(const Json& steps) {
    int second = 0;
    for (const Json& step : steps) {
      if (textAt(step, "op") == "apply") {
        apply(step, second);
      } else {
        Json body = withoutNulls(step["body"]);
        if (boolAt(step, "reset")) body["metadata"]["managedFields"] = Json::array();
        compare(trackUpdate(*Catalog::builtin(), resource, live, body, managerOf(step, second)), step);
      }
      if (step.contains("result")) {
        live = withoutNulls(step["result"]);
        for (Json& e : live["metadata"]["managedFields"]) {
          if (e.contains("time")) e["time"] = fmt::format("2026-01-01T00:00:{:02}Z", second);
        }
        if (live["metadata"]["managedFields"].is_null()) live["metadata"].erase("managedFields");
      }
      ++second;
    }
  }
};

TEST(RecordedApply, OwnershipIsWhatKubernetesFieldManagerMadeOfIt) {
  std::istringstream lines(recording());
  std::string line;
  int cases = 0;
  int differences = 0;
  while (std::getline(lines, line) && differences < 20) {
    const Json test = Json::parse(line);
    const Resource* resource = Catalog::builtin()->findKind(
        textAt(test, "group").empty() ? "v1" : textAt(test, "group") + "/" + textAt(test, "version"), textAt(test, "kind"));
    ASSERT_NE(resource, nullptr) << line.substr(0, 200);
    Replay replay{*resource, nullptr};
    replay.run(test["steps"]);
    differences += replay.differences;
    ++cases;
  }
  EXPECT_EQ(cases, 300);
}

}  // namespace
}  // namespace slipway

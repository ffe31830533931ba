// LabelSelector: which objects a selector means, in the three forms Kubernetes has. A value; thread-safe once built.
//
//   auto s = LabelSelector::fromJson(at(deployment, "spec", "selector"));
//   if (s && s->matches(pod)) …
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "data/json.h"

namespace slipway::kube {

class LabelSelector {
 public:
  // "a=b,c!=d,e in (f,g),h notin (i),j,!k"; empty text selects everything. Error BadRequest names the part that is wrong.
  static Result<LabelSelector> parse(std::string_view text);
  // metav1.LabelSelector (matchLabels, matchExpressions). null selects nothing, {} everything. Error Invalid: unknown operator.
  static Result<LabelSelector> fromJson(const Json& selector);
  // {"a":"b"}, the form of Service and ReplicationController.
  static LabelSelector fromMap(const Json& labels);

  bool matches(const Json& object) const { return matchesLabels(at(object, "metadata", "labels")); }
  bool matchesLabels(const Json& labels) const;
  bool selectsEverything() const { return !nothing_ && terms_.empty(); }

 private:
  enum class Op { In, NotIn, Exists, Absent };
  struct Term {
    std::string label;
    Op op;
    std::vector<std::string> values;
  };
  static Result<Term> parseTerm(std::string_view text);
  bool nothing_ = false;
  std::vector<Term> terms_;
};

}  // namespace slipway::kube

// Label and field selectors as list and watch take them, and the LabelSelector of objects. Immutable values, thread-safe.
//
//   auto s = LabelSelector::parse("app=web,tier in (a,b),!old");   if (s->matches(labels)) …
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "data/json.h"

namespace slipway {

class LabelSelector {
 public:
  // a=b, a==b, a!=b, a, !a, a in (x,y), a notin (x,y), a>1, a<1; a comma means and. Empty text matches everything.
  // Error BadRequest: "unable to parse requirement: …".
  static Result<LabelSelector> parse(std::string_view text);
  // `labels`: metadata.labels, or null.
  bool matches(const Json& labels) const;
  bool empty() const { return requirements_.empty(); }

 private:
  enum class Op { In, NotIn, Exists, DoesNotExist, Greater, Less };
  struct Requirement {
    std::string key;
    Op op = Op::Exists;
    std::vector<std::string> values;
  };
  friend class LabelSelectorParser;
  std::vector<Requirement> requirements_;
};

// Whether labels satisfy the LabelSelector object {matchLabels, matchExpressions}. An empty selector matches everything.
bool labelSelectorMatches(const Json& selector, const Json& labels);

// field=value, field==value, field!=value, joined by commas; an empty value is a real test. Which fields exist is up to the
// caller: terms() names them.
class FieldSelector {
 public:
  struct Term {
    std::string field;
    bool negated = false;
    std::string value;
  };
  // Error BadRequest: "invalid selector: '…'; can't understand '…'".
  static Result<FieldSelector> parse(std::string_view text);
  const std::vector<Term>& terms() const { return terms_; }
  // Compares with the text at each dotted path; an absent field counts as "".
  bool matches(const Json& object) const;
  bool empty() const { return terms_.empty(); }

 private:
  std::vector<Term> terms_;
};

}  // namespace slipway

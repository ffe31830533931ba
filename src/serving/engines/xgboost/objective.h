// What an xgboost objective does around the sum of the trees: the link from base_score to margin before it, and the
// transform to what Booster.predict answers after it, in the library's own float arithmetic.
#pragma once
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace slipway::xgboost {

enum class Transform { Identity, Sigmoid, Exp, Hinge, Softmax, ArgMax };
enum class Link { Identity, Logit, Log };  // of base_score

struct Objective {
  std::string name;
  Transform transform = Transform::Identity;
  Link link = Link::Identity;
};

// Error Unimplemented: an objective that xgboost 3.2 does not have either (it names the known ones).
Result<Objective> objectiveOf(const std::string& name);

float toMargin(Link link, float baseScore);
// One row's margins in place. ArgMax leaves the class in margins[0].
void transformRow(Transform transform, std::span<float> margins);

}  // namespace slipway::xgboost

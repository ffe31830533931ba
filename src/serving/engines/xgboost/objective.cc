#include "serving/engines/xgboost/objective.h"

#include <algorithm>
#include <cmath>

namespace slipway::xgboost {
namespace {

struct Row {
  std::string_view name;
  Transform transform;
  Link link;
};
constexpr Row kObjectives[] = {
    {"reg:squarederror", Transform::Identity, Link::Identity},
    {"reg:linear", Transform::Identity, Link::Identity},  // its name before 0.83
    {"reg:squaredlogerror", Transform::Identity, Link::Identity},
    {"reg:pseudohubererror", Transform::Identity, Link::Identity},
    {"reg:absoluteerror", Transform::Identity, Link::Identity},
    {"reg:quantileerror", Transform::Identity, Link::Identity},
    {"reg:expectileerror", Transform::Identity, Link::Identity},
    {"reg:logistic", Transform::Sigmoid, Link::Logit},
    {"binary:logistic", Transform::Sigmoid, Link::Logit},
    {"binary:logitraw", Transform::Identity, Link::Identity},
    {"binary:hinge", Transform::Hinge, Link::Identity},
    {"multi:softprob", Transform::Softmax, Link::Identity},
    {"multi:softmax", Transform::ArgMax, Link::Identity},
    {"count:poisson", Transform::Exp, Link::Log},
    {"reg:gamma", Transform::Exp, Link::Log},
    {"reg:tweedie", Transform::Exp, Link::Log},
    {"survival:cox", Transform::Exp, Link::Log},
    {"survival:aft", Transform::Exp, Link::Log},
    {"rank:pairwise", Transform::Identity, Link::Identity},
    {"rank:ndcg", Transform::Identity, Link::Identity},
    {"rank:map", Transform::Identity, Link::Identity},
};

float sigmoid(float x) {
  constexpr float kEps = 1e-16F;
  const float e = std::exp(std::min(-x, 88.7F));
  return 1.0F / (e + 1.0F + kEps);
}

void softmax(std::span<float> v) {
  float largest = v[0];
  for (const float x : v) largest = std::fmax(x, largest);
  double sum = 0;
  for (float& x : v) {
    x = std::exp(x - largest);
    sum += x;
  }
  for (float& x : v) x /= static_cast<float>(sum);
}

}  // namespace

Result<Objective> objectiveOf(const std::string& name) {
  std::string known;
  for (const Row& row : kObjectives) {
    if (row.name == name) return Objective{name, row.transform, row.link};
    known += (known.empty() ? "" : ", ") + std::string(row.name);
  }
  return fail(Code::Unimplemented, fmt::format("objective '{}' is not known: train with one of {}", name, known));
}

float toMargin(Link link, float baseScore) {
  if (link == Link::Log) return std::log(baseScore);
  if (link == Link::Identity) return baseScore;
  constexpr float kBound = 1e-6F;
  const float p = std::min(std::max(baseScore, kBound), 1.0F - kBound);
  return -std::log(1.0F / p - 1.0F);
}

void transformRow(Transform transform, std::span<float> margins) {
  switch (transform) {
    case Transform::Identity: return;
    case Transform::Sigmoid:
      for (float& m : margins) m = sigmoid(m);
      return;
    case Transform::Exp:
      for (float& m : margins) m = std::exp(m);
      return;
    case Transform::Hinge:
      for (float& m : margins) m = m > 0 ? 1.0F : 0.0F;
      return;
    case Transform::Softmax: return softmax(margins);
    case Transform::ArgMax:
      margins[0] = static_cast<float>(std::max_element(margins.begin(), margins.end()) - margins.begin());
      return;
  }
}

}  // namespace slipway::xgboost

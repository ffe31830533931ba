#include "serving/engines/sklearn/neighbor_search.h"

#include <cmath>
#include <limits>

#include "serving/pickle/numpy_values.h"

namespace slipway::sklearn {

double Metric::reduced(const double* a, const double* b, std::size_t n) const {
  double sum = 0;
  switch (kind) {
    case MetricKind::Euclidean:
      for (std::size_t i = 0; i < n; ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
      return sum;
    case MetricKind::Manhattan:
      for (std::size_t i = 0; i < n; ++i) sum += std::abs(a[i] - b[i]);
      return sum;
    case MetricKind::Chebyshev:
      for (std::size_t i = 0; i < n; ++i) sum = std::max(sum, std::abs(a[i] - b[i]));
      return sum;
    case MetricKind::Minkowski:
      for (std::size_t i = 0; i < n; ++i) sum += std::pow(std::abs(a[i] - b[i]), p);
      return sum;
    case MetricKind::Cosine: {
      double aa = 0;
      double bb = 0;
      for (std::size_t i = 0; i < n; ++i) {
        sum += a[i] * b[i];
        aa += a[i] * a[i];
        bb += b[i] * b[i];
      }
      const double norms = std::sqrt(aa) * std::sqrt(bb);
      return norms == 0 ? 1 : std::clamp(1 - sum / norms, 0.0, 2.0);
    }
  }
  return sum;
}

double Metric::fromReduced(double r) const {
  return kind == MetricKind::Euclidean ? std::sqrt(r) : kind == MetricKind::Minkowski ? std::pow(r, 1 / p) : r;
}
double Metric::toReduced(double d) const {
  return kind == MetricKind::Euclidean ? d * d : kind == MetricKind::Minkowski ? std::pow(d, p) : d;
}

// A bounded max-heap with scikit-learn's rule (utils._heap.heap_push): a value that only equals the largest is not taken.
struct NeighborSearch::Heap {
  Neighbor* slots;
  std::size_t size;

  double largest() const { return slots[0].distance; }
  void push(double distance, std::size_t index) {
    if (distance >= slots[0].distance) return;
    std::size_t at = 0;
    for (;;) {
      const std::size_t left = 2 * at + 1;
      const std::size_t right = left + 1;
      if (left >= size) break;
      const std::size_t next = right >= size || slots[left].distance >= slots[right].distance ? left : right;
      if (distance >= slots[next].distance) break;
      slots[at] = slots[next];
      at = next;
    }
    slots[at] = {distance, index};
  }
};

namespace {

Result<Metric> readMetric(const Fields& fields) {
  const pickle::Value* params = fields.find("effective_metric_params_");
  const auto param = [&](std::string_view name) { return params != nullptr ? params->find(name) : nullptr; };
  if (const pickle::Value* w = param("w"); w != nullptr && !w->isNone())
    return fields.unsupported("a weighted Minkowski metric");
  const std::string name = fields.textOr("effective_metric_", "");
  if (name == "euclidean" || name == "l2") return Metric{MetricKind::Euclidean, 2};
  if (name == "manhattan" || name == "l1" || name == "cityblock") return Metric{MetricKind::Manhattan, 1};
  if (name == "chebyshev" || name == "infinity") return Metric{MetricKind::Chebyshev, 1};
  if (name == "cosine") return Metric{MetricKind::Cosine, 1};
  if (name == "minkowski" || name == "p") {
    const pickle::Value* value = param("p");
    double p = fields.numberOr("p", 2);
    if (value != nullptr) p = value->is(pickle::Kind::Float) ? value->real : static_cast<double>(value->integer);
    if (!(p > 0)) return fields.bad("p", "must be above 0");
    return Metric{MetricKind::Minkowski, p};
  }
  return fields.unsupported("metric '" + name + "'");
}

}  // namespace

Result<NeighborSearch> NeighborSearch::read(const Fields& fields) {
  NeighborSearch s;
  SLIP_TRY(s.metric_, readMetric(fields));
  SLIP_TRY(s.points_, fields.matrix("_fit_X"));
  const std::int64_t k = fields.integerOr("n_neighbors", 5);
  if (k < 1 || static_cast<std::size_t>(k) > s.points_.rows) {
    return fields.bad("n_neighbors", fmt::format("{} with {} training points", k, s.points_.rows));
  }
  s.k_ = static_cast<std::size_t>(k);
  const std::string method = fields.textOr("_fit_method", "brute");
  s.method_ = method == "kd_tree" ? Method::KdTree : method == "ball_tree" ? Method::BallTree : Method::Brute;
  if (s.method_ != Method::Brute) SLIP_CHECK(s.readTree(fields));
  return s;
}

// State of the Cython tree: (data, idx_array, node_data, node_bounds, leaf_size, …).
Status NeighborSearch::readTree(const Fields& fields) {
  auto tree = fields.get("_tree");
  if (!tree) return fail(tree.error());
  const pickle::Value* state = (*tree)->state;
  if (!(*tree)->is(pickle::Kind::Object) || state == nullptr || state->items.size() < 4)
    return fields.bad("_tree", "damaged");
  for (std::size_t i = 0; i < 4; ++i) {
    if (!state->items[i]->is(pickle::Kind::Array)) return fields.bad("_tree", "damaged");
  }
  auto order = pickle::integers(*state->items[1]->array);
  auto bounds = pickle::reals(*state->items[3]->array);
  const pickle::Array& nodes = *state->items[2]->array;
  auto first = pickle::fieldIntegers(nodes, "idx_start");
  auto last = pickle::fieldIntegers(nodes, "idx_end");
  auto leaf = pickle::fieldIntegers(nodes, "is_leaf");
  auto radius = pickle::fieldReals(nodes, "radius");
  if (!order || !bounds || !first || !last || !leaf || !radius) return fields.bad("_tree", "damaged");
  const std::size_t planes = method_ == Method::KdTree ? 2 : 1;
  if (order->size() != points_.rows || first->empty() || bounds->size() != planes * first->size() * points_.columns) {
    return fields.bad("_tree", "does not fit the training points");
  }
  for (const std::int64_t i : *order) {
    if (i < 0 || static_cast<std::size_t>(i) >= points_.rows) return fields.bad("_tree", "does not fit the training points");
    order_.push_back(static_cast<std::size_t>(i));
  }
  for (std::size_t n = 0; n < first->size(); ++n) {
    const bool inside =
        (*first)[n] >= 0 && (*first)[n] <= (*last)[n] && static_cast<std::size_t>((*last)[n]) <= points_.rows;
    if (!inside || ((*leaf)[n] == 0 && 2 * n + 2 >= first->size())) return fields.bad("_tree", "damaged nodes");
    nodes_.push_back(
        {static_cast<std::size_t>((*first)[n]), static_cast<std::size_t>((*last)[n]), (*leaf)[n] != 0, (*radius)[n]});
  }
  bounds_ = std::move(*bounds);
  return {};
}

// The smallest reduced distance that a point of the node can have.
double NeighborSearch::bound(std::size_t node, const double* row) const {
  const std::size_t n = points_.columns;
  const double* low = &bounds_[node * n];
  if (method_ == Method::BallTree) {
    return metric_.toReduced(std::max(0.0, metric_.fromReduced(metric_.reduced(row, low, n)) - nodes_[node].radius));
  }
  const double* high = low + nodes_.size() * n;
  double sum = 0;
  for (std::size_t j = 0; j < n; ++j) {
    const double outside = std::max(0.0, std::max(low[j] - row[j], row[j] - high[j]));
    sum = metric_.kind == MetricKind::Chebyshev ? std::max(sum, outside) : sum + metric_.toReduced(outside);
  }
  return sum;
}

void NeighborSearch::descend(std::size_t node, double lowerBound, const double* row, Heap& heap) const {
  if (lowerBound > heap.largest()) return;
  const Node& n = nodes_[node];
  if (n.leaf) {
    for (std::size_t i = n.first; i < n.last; ++i) {
      heap.push(metric_.reduced(row, points_.row(order_[i]), points_.columns), order_[i]);
    }
    return;
  }
  const std::size_t left = 2 * node + 1;
  const double leftBound = bound(left, row);
  const double rightBound = bound(left + 1, row);
  if (leftBound <= rightBound) {
    descend(left, leftBound, row, heap);
    descend(left + 1, rightBound, row, heap);
  } else {
    descend(left + 1, rightBound, row, heap);
    descend(left, leftBound, row, heap);
  }
}

void NeighborSearch::nearest(const double* row, Neighbor* found) const {
  std::fill(found, found + k_, Neighbor{std::numeric_limits<double>::infinity(), 0});
  Heap heap{found, k_};
  if (method_ == Method::Brute) {
    for (std::size_t i = 0; i < points_.rows; ++i) heap.push(metric_.reduced(row, points_.row(i), points_.columns), i);
  } else {
    descend(0, bound(0, row), row, heap);
  }
  std::sort(found, found + k_, [](const Neighbor& a, const Neighbor& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.index < b.index;
  });
  for (std::size_t i = 0; i < k_; ++i) found[i].distance = metric_.fromReduced(found[i].distance);
}

}  // namespace slipway::sklearn

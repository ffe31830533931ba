// The k nearest training points of a row, found as scikit-learn finds them: with the k-d or ball tree of the file, or one by
// one. Where points tie at the k-th place, the order of the search decides which is taken, so it follows the original.
//
//   SLIP_TRY(auto search, NeighborSearch::read(fields));
//   search.nearest(row, found);   // found: k pairs, nearest first
#pragma once
#include <vector>

#include "serving/engines/sklearn/fields.h"

namespace slipway::sklearn {

enum class MetricKind { Euclidean, Manhattan, Chebyshev, Minkowski, Cosine };

struct Metric {
  MetricKind kind = MetricKind::Euclidean;
  double p = 2;  // Minkowski

  // A number that orders as the distance does and is cheaper: squared for Euclidean, without the root for Minkowski.
  double reduced(const double* a, const double* b, std::size_t n) const;
  double fromReduced(double r) const;
  double toReduced(double distance) const;
};

struct Neighbor {
  double distance;
  std::size_t index;
};

class NeighborSearch {
 public:
  static Result<NeighborSearch> read(const Fields& fields);

  std::size_t k() const { return k_; }
  std::size_t points() const { return points_.rows; }
  std::size_t features() const { return points_.columns; }
  // `found` has room for k() neighbours.
  void nearest(const double* row, Neighbor* found) const;

 private:
  enum class Method { Brute, KdTree, BallTree };
  struct Node {
    std::size_t first;
    std::size_t last;
    bool leaf;
    double radius;
  };
  struct Heap;

  Status readTree(const Fields& fields);
  double bound(std::size_t node, const double* row) const;
  void descend(std::size_t node, double lowerBound, const double* row, Heap& heap) const;

  Metric metric_;
  Method method_ = Method::Brute;
  std::size_t k_ = 5;
  Matrix points_;
  std::vector<std::size_t> order_;  // points in tree order
  std::vector<Node> nodes_;
  std::vector<double> bounds_;  // k-d: all lows, then all highs; ball: centroids
};

}  // namespace slipway::sklearn

// One row through 100 trees of depth 6 over 30 features, the shape that the goal of 2 to 4 us is stated for.
#include <benchmark/benchmark.h>

#include <random>

#include "serving/engines/trees/forest.h"

namespace {
using slipway::trees::Forest;
using slipway::trees::Split;

template <class T>
Forest<T> madeForest(bool defaultLeft) {
  std::mt19937 random(1);
  std::normal_distribution<double> normal;
  Forest<T> forest(30);
  for (int t = 0; t < 100; ++t) {
    std::vector<Split<T>> splits(127);
    for (std::size_t i = 0; i < splits.size(); ++i) {
      splits[i].threshold = static_cast<T>(normal(random));
      if (i >= 63) continue;
      splits[i].feature = static_cast<std::int64_t>(random() % 30);
      splits[i].left = static_cast<std::int64_t>(2 * i + 1);
      splits[i].right = static_cast<std::int64_t>(2 * i + 2);
      splits[i].defaultLeft = defaultLeft;
    }
    if (!forest.add(splits)) std::abort();
  }
  return forest;
}

template <class T>
void oneRow(benchmark::State& state, bool missing) {
  const auto forest = madeForest<T>(true);
  std::mt19937 random(2);
  std::normal_distribution<double> normal;
  // Many rows in turn, so that the branch predictor cannot learn one row's way.
  std::vector<T> rows(1024 * 30);
  for (T& v : rows) v = static_cast<T>(normal(random));
  if (missing)
    for (std::size_t i = 0; i < rows.size(); i += 30) rows[i + i % 7] = std::numeric_limits<T>::quiet_NaN();
  std::size_t at = 0;
  for (auto _ : state) {
    T sum = 0;
    forest.walk(&rows[at * 30], [&sum](std::size_t, T leaf) { sum += leaf; });
    benchmark::DoNotOptimize(sum);
    at = (at + 1) % 1024;
  }
}
void floats(benchmark::State& state) { oneRow<float>(state, false); }
void doubles(benchmark::State& state) { oneRow<double>(state, false); }
void floatsWithMissing(benchmark::State& state) { oneRow<float>(state, true); }
BENCHMARK(floats);
BENCHMARK(doubles);
BENCHMARK(floatsWithMissing);

}  // namespace

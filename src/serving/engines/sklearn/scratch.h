// Working memory of one call: the first 4 KiB lie on the caller's stack, the rest comes from the heap and goes back at the
// end. One per call, never shared between threads.
//
//   Scratch scratch;
//   double* sums = scratch.doubles(rows * classes);
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

namespace slipway::sklearn {

class Scratch {
 public:
  // Not initialised; valid until the Scratch dies or a Frame opened earlier closes.
  double* doubles(std::size_t count) {
    if (count <= kInline - used_) {
      double* p = inline_ + used_;
      used_ += count;
      return p;
    }
    heap_.push_back(std::make_unique_for_overwrite<double[]>(count));
    return heap_.back().get();
  }
  std::int32_t* integers(std::size_t count) { return reinterpret_cast<std::int32_t*>(doubles((count + 1) / 2)); }
  float* floats(std::size_t count) { return reinterpret_cast<float*>(doubles((count + 1) / 2)); }

  // Gives back what was taken since, at the end of a loop body that would otherwise pile it up.
  class Frame {
   public:
    explicit Frame(Scratch& s) : scratch_(s), used_(s.used_), heap_(s.heap_.size()) {}
    ~Frame() {
      scratch_.used_ = used_;
      scratch_.heap_.resize(heap_);
    }
    Frame(const Frame&) = delete;
    Frame& operator=(const Frame&) = delete;

   private:
    Scratch& scratch_;
    std::size_t used_;
    std::size_t heap_;
  };

 private:
  static constexpr std::size_t kInline = 512;
  double inline_[kInline];
  std::size_t used_ = 0;
  std::vector<std::unique_ptr<double[]>> heap_;
};

}  // namespace slipway::sklearn

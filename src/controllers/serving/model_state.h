// How far a model has come, read from its pods' container states. Pure.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data/json.h"

namespace slipway::isvc {

struct ModelFailure {
  std::string message;
  std::int64_t exitCode = 0;
};

struct ModelState {
  // Pending, Loading, Loaded or FailedToLoad; empty: keep the last one (a container that failed is starting again, and will
  // tell soon).
  std::string state;
  std::optional<ModelFailure> failure;
  int readyCopies = 0, failedCopies = 0;
};

// What keeps the newest pod from running before any of its containers has failed, in one line: "pod NAME: 0/1 nodes are
// available: …". Empty when nothing does.
std::string whatPodWaitsFor(const std::vector<Json>& pods);

// `ready`: the service as a whole is Ready.
ModelState modelState(const std::vector<Json>& pods, bool ready);

}  // namespace slipway::isvc

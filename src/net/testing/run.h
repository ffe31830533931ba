// For tests: runs one coroutine to its end on a fresh io_context, and fails the test if it takes longer than `limit`.
//
//   net::testing::run([](Executor e) -> Task<void> { … });
#pragma once
#include <chrono>
#include <functional>

#include "base/scope.h"
#include "base/task.h"

namespace slipway::net::testing {

void run(std::function<Task<void>(Executor)> body, std::chrono::milliseconds limit = std::chrono::seconds(20));

// Waits until `condition` holds, looking every millisecond; false after `limit`.
Task<bool> eventually(std::function<bool()> condition, std::chrono::milliseconds limit = std::chrono::seconds(10));

}  // namespace slipway::net::testing

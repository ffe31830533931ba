// Task<T>: the coroutine type of the whole program (Asio's awaitable). A Task runs on the executor it was spawned on and
// is cancelled by Asio's cancellation slots: a cancelled await throws boost::system::system_error(operation_aborted), which
// ends the coroutine; module edges turn it into Code::Cancelled.
//
// House rules (clang-tidy and tools/check_layers.py hold them): parameters by value; no capturing lambda coroutines that
// outlive their captures; await on a line of its own into a named value; no mutex held across an await.
#pragma once
#include <boost/asio/awaitable.hpp>

namespace slipway {
template <class T = void>
using Task = boost::asio::awaitable<T>;
}  // namespace slipway

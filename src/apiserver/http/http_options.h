// What the HTTP surface is set up with: who may come in, and its bounds.
#pragma once
#include <string>
#include <vector>

#include "apiserver/http/audit_log.h"
#include "apiserver/http/authenticator.h"

namespace slipway::apiserver {

struct HttpOptions {
  std::vector<StaticToken> tokens;
  std::size_t maxBodyBytes = 3 << 20;    // of a request; 413 beyond
  std::size_t maxInflight = 400;         // requests at a time other than watches and logs; 429 beyond
  std::size_t maxInflightPerUser = 200;  // of them, of one user
  std::size_t systemReserve = 100;       // on top, for system users only: see inflight.h
  std::size_t maxWatches = 10000;        // open at a time, those of our own controllers apart; 429 beyond
  std::size_t maxWatchesPerUser = 2000;  // of them, of one user; system users have no such bound
  AuditOptions audit;
};

}  // namespace slipway::apiserver

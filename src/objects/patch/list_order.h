// The order of a merged list, shared by strategic merge and server-side apply. Pure.
#pragma once
#include <string>
#include <vector>

#include "data/json.h"

namespace slipway::patch {

struct Keyed {
  std::string key;  // what identifies the item in its list
  Json value;
};

// Items that the patch names come in the patch's order, the others stay where they were relative to them: `live` is the
// order before.
inline Json interleave(std::vector<Keyed> others, std::vector<Keyed> named, const std::vector<std::string>& live) {
  const auto position = [&](const Keyed& item) { return std::find(live.begin(), live.end(), item.key) - live.begin(); };
  const auto unknown = static_cast<std::ptrdiff_t>(live.size());
  Json out = Json::array();
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < others.size() || j < named.size()) {
    bool takeOther = j == named.size();
    if (!takeOther && i < others.size()) {
      const auto left = position(others[i]);
      const auto right = position(named[j]);
      takeOther = left < unknown && right < unknown && left < right;
    }
    out.push_back(std::move(takeOther ? others[i++].value : named[j++].value));
  }
  return out;
}

}  // namespace slipway::patch

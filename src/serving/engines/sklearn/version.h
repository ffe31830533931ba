// The scikit-learn version that an estimator in a file was written by. Used only where the same attributes mean something
// else in another version.
#pragma once
#include <string>
#include <utility>

#include "serving/pickle/value.h"

namespace slipway::sklearn {

using Version = std::pair<int, int>;  // {1, 2} for 1.2.1

Version parseVersion(const std::string& text);            // {0, 0} when it is not one
std::string versionText(const pickle::Value& estimator);  // _sklearn_version, "" when absent
inline Version writtenBy(const pickle::Value& estimator) { return parseVersion(versionText(estimator)); }

}  // namespace slipway::sklearn

// Appends JSON text to a string: numbers as Python prints them (1.0, 0.1, 1e+16), integers as integers, strings escaped.
// Pure functions; no state.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "protocol/tensor.h"

namespace slipway::protocol {

void appendInt(std::string& out, std::int64_t value);
void appendUint(std::string& out, std::uint64_t value);
// Shortest text that reads back as the same value. JSON has no NaN or Infinity: they are written as null.
void appendDouble(std::string& out, double value);
void appendFloat(std::string& out, float value);
// With quotes. Bytes that are not UTF-8 are replaced by U+FFFD, so that the document stays valid.
void appendString(std::string& out, std::string_view text);

// Elements [from, from + count) of a tensor, separated by commas, without brackets.
void appendElements(std::string& out, const Tensor& tensor, std::size_t from, std::size_t count);
// The whole tensor as nested lists of its shape; a tensor without dimensions is one bare element.
void appendNested(std::string& out, const Tensor& tensor);

}  // namespace slipway::protocol

#include "data/protobuf_wire.h"

#include <gtest/gtest.h>

namespace slipway::protobuf {
namespace {

TEST(ProtobufWire, WhatIsWrittenReadsBack) {
  std::string out;
  appendNumber(out, 1, 0);
  appendNumber(out, 2, UINT64_MAX);
  appendBytes(out, 536870911, "text");
  appendTag(out, 4, Fixed32);
  out += std::string("\1\2\3\4", 4);
  appendTag(out, 5, Fixed64);
  out += std::string("\1\0\0\0\0\0\0\x80", 8);
  Reader reader(out);
  const auto first = reader.next(), second = reader.next(), third = reader.next(), fourth = reader.next(),
             fifth = reader.next();
  ASSERT_TRUE(first && second && third && fourth && fifth);
  EXPECT_TRUE(reader.done());
  EXPECT_EQ(first->value, 0u);
  EXPECT_TRUE(first->empty());
  EXPECT_EQ(second->value, UINT64_MAX);
  EXPECT_EQ(third->number, 536870911u);
  EXPECT_EQ(third->bytes, "text");
  EXPECT_EQ(fourth->value, 0x04030201u);
  EXPECT_EQ(fifth->value, 0x8000000000000001u);
  for (std::size_t n = 1; n < out.size(); ++n) {  // cut anywhere: an end or an error, never a read beyond
    Reader cut(std::string_view(out).substr(0, n));
    while (!cut.done() && cut.next()) {
    }
  }
}

TEST(ProtobufWire, WhatIsMalformedIsAnError) {
  const auto bad = [](std::string_view bytes) { return !Reader(bytes).next().has_value(); };
  EXPECT_TRUE(bad(std::string_view("\x00", 1)));  // field number 0
  EXPECT_TRUE(bad("\x0b"));                       // a group
  EXPECT_TRUE(bad("\x0f"));                       // no such type
  EXPECT_TRUE(
      bad("\x0a\x05"
          "abc"));                                                       // longer than what is there
  EXPECT_TRUE(bad("\x08"));                                              // no value
  EXPECT_TRUE(bad("\x0d\x01\x02"));                                      // half a fixed32
  EXPECT_TRUE(bad("\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"));  // a number without end
  EXPECT_TRUE(bad("\x0a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));      // a length of 2^64 - 1
}

}  // namespace
}  // namespace slipway::protobuf

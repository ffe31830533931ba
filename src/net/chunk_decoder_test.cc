#include "net/chunk_decoder.h"

#include <gtest/gtest.h>

namespace slipway::net {
namespace {

// The decoded body, or "error", or "more"; the input is given `step` bytes at a time.
std::string decode(std::string_view in, std::size_t step) {
  ChunkDecoder decoder(100);
  std::string out, buffer;
  for (std::size_t at = 0; at < in.size() && !decoder.done(); at += step) {
    buffer += in.substr(at, step);
    const auto used = decoder.decode(buffer, out);
    if (!used) return "error";
    buffer.erase(0, *used);
  }
  return decoder.done() ? out + "|" + buffer : "more";
}

TEST(ChunkDecoder, DecodesWhateverTheCuts) {
  const std::string body = "5\r\nhello\r\nA;name=\"v\"\r\n 0123\r\n789\r\n0\r\nTrailer: x\r\n\r\n";
  for (std::size_t step = 1; step <= body.size(); ++step) EXPECT_EQ(decode(body, step), "hello 0123\r\n789|") << step;
  EXPECT_EQ(decode("0\r\n\r\nGET", 100), "|GET");
}

TEST(ChunkDecoder, RefusesWhatAnotherHopMightReadDifferently) {
  for (const std::string_view bad :
       {"\r\n", "g\r\n", "-1\r\n", "1 2\r\nx\r\n", "1\nx\r\n", "2\r\nx\r\n\r\n", "1\r\nxy\r\n", "11111111111111111\r\n",
        "0x1\r\n", "0\r\nno colon\r\n\r\n", "0\r\n: x\r\n\r\n", "0\r\n\xff\n0\r\n\r\n", "1;\x01\r\nx"}) {
    EXPECT_EQ(decode(bad, 100), "error") << bad;
    EXPECT_EQ(decode(bad, 1), "error") << bad;
  }
  EXPECT_EQ(decode("0\r\nA: " + std::string(200, 'x') + "\r\n\r\n", 1000), "error");
  EXPECT_EQ(decode(std::string(5000, '0'), 1000), "error");
  EXPECT_EQ(decode("5\r\nhel", 100), "more");
}

}  // namespace
}  // namespace slipway::net

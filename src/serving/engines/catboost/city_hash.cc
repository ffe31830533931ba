#include "serving/engines/catboost/city_hash.h"

#include <bit>
#include <cstring>
#include <utility>

namespace slipway::catboost {
namespace {

using Word = std::uint64_t;
using Pair = std::pair<Word, Word>;

// The algorithm's four primes and the multiplier of its final mix.
constexpr Word kP0 = 0xc3a5c85c97cb3127ULL, kP1 = 0xb492b66fbe98f273ULL, kP2 = 0x9ae16a3b2f90404fULL,
               kP3 = 0xc949d7c7509e6557ULL, kMix = 0x9ddfea08eb382d69ULL;

Word load64(const char* at) {
  Word out;
  std::memcpy(&out, at, 8);
  return out;
}
Word load32(const char* at) {
  std::uint32_t out;
  std::memcpy(&out, at, 4);
  return out;
}
Word fold(Word v) { return v ^ (v >> 47); }
Word mix(Word low, Word high) {
  const Word a = fold((low ^ high) * kMix);
  return fold((high ^ a) * kMix) * kMix;
}

Word upTo16(const char* s, std::size_t n) {
  if (n > 8) {
    const Word first = load64(s), last = load64(s + n - 8);
    return mix(first, std::rotr(last + n, static_cast<int>(n))) ^ last;
  }
  if (n >= 4) return mix(n + (load32(s) << 3), load32(s + n - 4));
  if (n == 0) return kP2;
  const auto byte = [s](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(s[i])); };
  const std::uint32_t y = byte(0) + (byte(n >> 1) << 8);
  const std::uint32_t z = static_cast<std::uint32_t>(n) + (byte(n - 1) << 2);
  return fold(y * kP2 ^ z * kP3) * kP2;
}

Word upTo32(const char* s, std::size_t n) {
  const Word a = load64(s) * kP1, b = load64(s + 8), c = load64(s + n - 8) * kP2, d = load64(s + n - 16) * kP0;
  return mix(std::rotr(a - b, 43) + std::rotr(c, 30) + d, a + std::rotr(b ^ kP3, 20) - c + n);
}

// A weak hash of 32 bytes with two seeds.
Pair weak(const char* s, Word a, Word b) {
  const Word w = load64(s), x = load64(s + 8), y = load64(s + 16), z = load64(s + 24);
  a += w;
  b = std::rotr(b + a + z, 21);
  const Word c = a;
  a += x + y;
  b += std::rotr(a, 44);
  return {a + z, b + c};
}

Word upTo64(const char* s, std::size_t n) {
  // Both halves are hashed the same way from their own starts.
  const auto half = [s](Word z, Word a, std::size_t from) {
    const Word b0 = std::rotr(a + z, 52);
    Word c = std::rotr(a, 37);
    a += load64(s + from);
    c += std::rotr(a, 7);
    a += load64(s + from + 8);
    return Pair{a + z, b0 + std::rotr(a, 31) + c};
  };
  const Pair v = half(load64(s + 24), load64(s) + (n + load64(s + n - 16)) * kP0, 8);
  const Pair w = half(load64(s + n - 8), load64(s + 16) + load64(s + n - 32), n - 24);
  const Word r = fold((v.first + w.second) * kP2 + (w.first + v.second) * kP0);
  return fold(r * kP0 + v.second) * kP2;
}

}  // namespace

std::uint64_t cityHash64(std::string_view text) {
  const char* s = text.data();
  std::size_t n = text.size();
  if (n <= 16) return upTo16(s, n);
  if (n <= 32) return upTo32(s, n);
  if (n <= 64) return upTo64(s, n);
  Word x = load64(s), y = load64(s + n - 16) ^ kP1, z = load64(s + n - 56) ^ kP0;
  Pair v = weak(s + n - 64, n, y), w = weak(s + n - 32, n * kP1, kP0);
  z += fold(v.second) * kP1;
  x = std::rotr(z + x, 39) * kP1;
  y = std::rotr(y, 33) * kP1;
  for (n = (n - 1) & ~std::size_t{63}; n != 0; n -= 64, s += 64) {
    x = std::rotr(x + y + v.first + load64(s + 16), 37) * kP1;
    y = std::rotr(y + v.second + load64(s + 48), 42) * kP1;
    x ^= w.second;
    y ^= v.first;
    z = std::rotr(z ^ w.first, 33);
    v = weak(s, v.second * kP1, x + w.first);
    w = weak(s + 32, z + w.second, y);
    std::swap(z, x);
  }
  return mix(mix(v.first, w.first) + fold(y) * kP1 + z, mix(v.second, w.second) + x);
}

}  // namespace slipway::catboost

#include "base/ids.h"

#include <sys/random.h>

#include <cstdlib>
#include <cstring>

namespace slipway {
namespace {
void fill(void* out, std::size_t n) {
  auto* p = static_cast<unsigned char*>(out);
  while (n > 0) {
    const auto got = getrandom(p, n, 0);
    if (got <= 0) std::abort();  // without randomness no id is safe
    p += got;
    n -= static_cast<std::size_t>(got);
  }
}
constexpr char kHex[] = "0123456789abcdef";
constexpr char kSafe[] = "bcdfghjklmnpqrstvwxz2456789";
}  // namespace

std::uint64_t randomU64() {
  std::uint64_t v = 0;
  fill(&v, sizeof v);
  return v;
}

std::string randomHex(std::size_t bytes) {
  std::string raw(bytes, '\0');
  fill(raw.data(), bytes);
  std::string out;
  out.reserve(bytes * 2);
  for (unsigned char c : raw) {
    out += kHex[c >> 4];
    out += kHex[c & 15];
  }
  return out;
}

std::string newUuid() {
  std::string h = randomHex(16);
  h[12] = '4';
  h[16] = kHex[8 + (std::strchr(kHex, h[16]) - kHex) % 4];
  return h.substr(0, 8) + "-" + h.substr(8, 4) + "-" + h.substr(12, 4) + "-" + h.substr(16, 4) + "-" + h.substr(20);
}

std::string randomSuffix(std::size_t n) {
  std::string out;
  for (std::size_t i = 0; i < n; ++i) out += kSafe[randomU64() % (sizeof kSafe - 1)];
  return out;
}

}  // namespace slipway

// SecretBox: encryption of Secrets at rest: AES-256-GCM with keys from a file, one a line, base64 of 32 bytes.
//
// The first key seals, all of them open: to change keys, put the new one in front, start once (every stored Secret is sealed
// anew), then take the old one out. A line `identity` stands for plain text: in front it undoes encryption. Blank lines and
// # comments are skipped. The name and namespace of an object are bound into its ciphertext. Immutable, any thread.
//
//   auto box = SecretBox::load("keys.txt");   std::string row = box->seal(text, "ns/name");
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace slipway::apiserver {

class SecretBox {
 public:
  // Errors name the file and what is wrong with it: not readable, readable by others, a line that is no key.
  static Result<SecretBox> load(const std::string& path);
  static Result<SecretBox> parse(std::string_view text, const std::string& name);

  static bool isSealed(std::string_view row);
  // Which key sealed a row, as the first 8 hex digits of its hash; "" for plain text.
  static std::string keyOf(std::string_view row);

  std::string seal(const std::string& text, const std::string& about) const;
  Result<std::string> open(const std::string& row, const std::string& about) const;  // plain text comes back as it is
  bool sealedWithFirst(std::string_view row) const;

 private:
  struct Key {
    std::string id, bytes;  // no bytes: identity
  };
  std::vector<Key> keys_;
  std::string name_;
};

}  // namespace slipway::apiserver

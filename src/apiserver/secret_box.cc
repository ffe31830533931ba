#include "apiserver/secret_box.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <stdexcept>

#include "data/base64.h"

namespace slipway::apiserver {
namespace {

// A sealed row: prefix, key id, ':', nonce, ciphertext, tag.
constexpr std::string_view kPrefix = "slipway:enc:aesgcm:v1:";
constexpr std::size_t kIdSize = 8, kKeySize = 32, kNonceSize = 12, kTagSize = 16;
constexpr std::size_t kMaxFile = 64 << 10;

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;

Cipher newCipher() { return {EVP_CIPHER_CTX_new(), EVP_CIPHER_CTX_free}; }
const unsigned char* bytes(std::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }
unsigned char* bytes(std::string& text) { return reinterpret_cast<unsigned char*>(text.data()); }

std::string idOf(const std::string& key) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(bytes(std::string_view(key)), key.size(), digest);
  return fmt::format("{:02x}{:02x}{:02x}{:02x}", digest[0], digest[1], digest[2], digest[3]);
}

std::string trimmed(std::string_view line) {
  while (!line.empty() && std::strchr(" \t\r", line.front())) line.remove_prefix(1);
  while (!line.empty() && std::strchr(" \t\r", line.back())) line.remove_suffix(1);
  return std::string(line);
}

}  // namespace

bool SecretBox::isSealed(std::string_view row) { return row.starts_with(kPrefix); }

std::string SecretBox::keyOf(std::string_view row) {
  return isSealed(row) ? std::string(row.substr(kPrefix.size(), kIdSize)) : std::string();
}

Result<SecretBox> SecretBox::load(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat info{};
  if (fd < 0 || ::fstat(fd, &info) != 0) {
    const std::string why = std::strerror(errno);
    if (fd >= 0) ::close(fd);
    return fail(Code::NotFound, fmt::format("cannot read the encryption keys in {}: {}", path, why));
  }
  std::string text(kMaxFile, '\0');
  const ssize_t got = ::read(fd, text.data(), text.size());
  ::close(fd);
  if (got < 0)
    return fail(Code::NotFound, fmt::format("cannot read the encryption keys in {}: {}", path, std::strerror(errno)));
  if ((info.st_mode & 077) != 0) {
    return fail(Code::Forbidden, fmt::format("the encryption keys in {} can be read by others (mode {:04o}): chmod 600 {}",
                                             path, info.st_mode & 0777, path));
  }
  text.resize(static_cast<std::size_t>(got));
  return parse(text, path);
}

Result<SecretBox> SecretBox::parse(std::string_view text, const std::string& name) {
  SecretBox box;
  box.name_ = name;
  int number = 0;
  while (!text.empty()) {
    const auto end = text.find('\n');
    const std::string line = trimmed(text.substr(0, end));
    text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    ++number;
    if (line.empty() || line.front() == '#') continue;
    if (line == "identity") {
      box.keys_.push_back({});
      continue;
    }
    auto key = base64Decode(line);
    if (!key || key->size() != kKeySize) {
      return fail(
          Code::BadRequest,
          fmt::format("encryption keys {}, line {}: expected base64 of 32 bytes (head -c 32 /dev/urandom | base64), or "
                      "the word identity",
                      name, number));
    }
    std::string id = idOf(*key);
    box.keys_.push_back({std::move(id), std::move(*key)});
  }
  if (box.keys_.empty()) return fail(Code::BadRequest, fmt::format("encryption keys {}: the file holds no key", name));
  return box;
}

bool SecretBox::sealedWithFirst(std::string_view row) const { return keyOf(row) == keys_.front().id; }

std::string SecretBox::seal(const std::string& text, const std::string& about) const {
  const Key& key = keys_.front();
  if (key.bytes.empty()) return text;
  std::string nonce(kNonceSize, '\0'), tag(kTagSize, '\0'), out(text.size(), '\0');
  const Cipher cipher = newCipher();
  int size = 0;
  const bool done =
      RAND_bytes(bytes(nonce), kNonceSize) == 1 &&
      EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes(std::string_view(key.bytes)),
                         bytes(std::string_view(nonce))) == 1 &&
      EVP_EncryptUpdate(cipher.get(), nullptr, &size, bytes(std::string_view(about)), static_cast<int>(about.size())) == 1 &&
      EVP_EncryptUpdate(cipher.get(), bytes(out), &size, bytes(std::string_view(text)), static_cast<int>(text.size())) ==
          1 &&
      EVP_EncryptFinal_ex(cipher.get(), bytes(out) + size, &size) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagSize, tag.data()) == 1;
  if (!done) throw std::runtime_error("encryption failed");  // no randomness, no memory: the write fails
  return std::string(kPrefix) + key.id + ":" + nonce + out + tag;
}

Result<std::string> SecretBox::open(const std::string& row, const std::string& about) const {
  if (!isSealed(row)) return row;
  const std::string id = keyOf(row);
  const auto key = std::find_if(keys_.begin(), keys_.end(), [&](const Key& k) { return !k.bytes.empty() && k.id == id; });
  if (key == keys_.end()) {
    return fail(Code::Forbidden, fmt::format("Secret {} is encrypted with key {}, which is not in {}", about, id, name_));
  }
  const std::size_t head = kPrefix.size() + kIdSize + 1;
  const auto damaged = [&] {
    return fail(Code::Internal, fmt::format("Secret {} cannot be decrypted: its row is damaged", about));
  };
  if (row.size() < head + kNonceSize + kTagSize) return damaged();
  const std::string_view nonce = std::string_view(row).substr(head, kNonceSize);
  const std::string_view body = std::string_view(row).substr(head + kNonceSize, row.size() - head - kNonceSize - kTagSize);
  std::string tag = row.substr(row.size() - kTagSize);
  std::string text(body.size(), '\0');
  const Cipher cipher = newCipher();
  int size = 0;
  const bool good =
      EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, bytes(std::string_view(key->bytes)), bytes(nonce)) == 1 &&
      EVP_DecryptUpdate(cipher.get(), nullptr, &size, bytes(std::string_view(about)), static_cast<int>(about.size())) == 1 &&
      EVP_DecryptUpdate(cipher.get(), bytes(text), &size, bytes(body), static_cast<int>(body.size())) == 1 &&
      EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagSize, tag.data()) == 1 &&
      EVP_DecryptFinal_ex(cipher.get(), bytes(text) + size, &size) == 1;
  if (!good) return damaged();
  return text;
}

}  // namespace slipway::apiserver

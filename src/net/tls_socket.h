// Internal to net: a ByteStream that speaks TLS on a TCP socket, straight on OpenSSL.
//
// What one write encrypts goes to the kernel in one call, whatever the number of its records, and an idle connection keeps
// no buffers: some 15 KB instead of the 70 KB of asio::ssl::stream, which counts where ten thousand watches are open.
#pragma once
#include <openssl/ssl.h>

#include <boost/asio/ip/tcp.hpp>
#include <string>

#include "net/byte_stream.h"

namespace slipway::net {

class TlsSocket final : public ByteStream {
 public:
  // Holds the context as long as it lives.
  TlsSocket(SSL_CTX* context, boost::asio::ip::tcp::socket socket);
  ~TlsSocket() override;

  SSL* ssl() { return ssl_; }
  // Before the first read or write. Error Unavailable with what the peer or the verification objected to.
  Task<Status> accept();
  Task<Status> connect();

  Task<Result<std::size_t>> read(std::span<char> into) override;
  Task<Status> write(std::string_view bytes) override;
  Task<Status> writev(std::span<const std::string_view> parts) override;
  void shutdownWrite() override;
  void close() override;
  bool peerClosed() override;

 private:
  Task<Status> handshake();
  Status encrypt(std::string_view bytes);
  void flush();
  Task<Status> drain();
  Task<boost::system::error_code> readable();
  static int onWrite(BIO* bio, const char* bytes, int size);
  static int onRead(BIO* bio, char* into, int size);
  static long onControl(BIO* bio, int command, long number, void* pointer);
  static BIO_METHOD* method();

  boost::asio::ip::tcp::socket socket_;
  SSL* ssl_ = nullptr;
  // Encrypted bytes that the kernel has not taken: sending_ while a write waits for it, later_ what was made meanwhile.
  std::string sending_, later_;
  bool ended_ = false;   // the peer has closed its side
  int readError_ = 0;    // errno of a failed read
  bool broken_ = false;  // a write failed: records are missing
};

}  // namespace slipway::net

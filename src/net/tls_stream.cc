#include "net/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/ssl/stream.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

namespace slipway::net {
namespace asio = boost::asio;
using asio::ip::tcp;
namespace {

struct Context final : TlsContext {
  explicit Context(asio::ssl::context::method method) : ssl(method) {}
  asio::ssl::context ssl;
  bool verify = false;
};

// The peer's first entry of that name, as it stands in its list.
const unsigned char* findProtocol(const unsigned char* in, unsigned inSize, std::string_view name) {
  for (unsigned i = 0; i + 1 <= inSize; i += in[i] + 1u) {
    if (i + 1 + in[i] > inSize) break;
    if (std::string_view(reinterpret_cast<const char*>(in + i + 1), in[i]) == name) return in + i;
  }
  return nullptr;
}

// h2 if we may, else http/1.1; no match is no error: the connection goes on without ALPN.
int chooseProtocol(SSL*, const unsigned char** out, unsigned char* outSize, const unsigned char* in, unsigned inSize,
                   void* http2) {
  const unsigned char* found = http2 ? findProtocol(in, inSize, "h2") : nullptr;
  if (!found) found = findProtocol(in, inSize, "http/1.1");
  if (!found) return SSL_TLSEXT_ERR_NOACK;
  *out = found + 1;
  *outSize = found[0];
  return SSL_TLSEXT_ERR_OK;
}

Status useIdentity(asio::ssl::context& ssl, const CertificatePem& identity) {
  boost::system::error_code ec;
  ssl.use_certificate_chain(asio::buffer(identity.certificate), ec);
  if (ec) return fail(Code::Invalid, "TLS certificate: " + ec.message());
  ssl.use_private_key(asio::buffer(identity.key), asio::ssl::context::pem, ec);
  if (ec) return fail(Code::Invalid, "TLS key: " + ec.message());
  return {};
}

Result<std::shared_ptr<Context>> makeContext(asio::ssl::context::method method) {
  auto context = std::make_shared<Context>(method);
  boost::system::error_code ec;
  context->ssl.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_sslv2 |
                               asio::ssl::context::no_sslv3 | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1,
                           ec);
  if (ec) return fail(Code::Internal, "TLS: " + ec.message());
  SSL_CTX_set_mode(context->ssl.native_handle(), SSL_MODE_RELEASE_BUFFERS);
  return context;
}

tl::unexpected<Error> ioError(const boost::system::error_code& ec) {
  if (ec == asio::error::operation_aborted) return fail(Code::Cancelled, "connection closed");
  return fail(Code::Unavailable, ec.message());
}

class TlsStream final : public ByteStream {
 public:
  TlsStream(std::shared_ptr<Context> context, tcp::socket socket)
      : context_(std::move(context)), ssl_(std::move(socket), context_->ssl) {}

  asio::ssl::stream<tcp::socket>& ssl() { return ssl_; }

  Task<Result<std::size_t>> read(std::span<char> into) override {
    boost::system::error_code ec;
    const auto n =
        co_await ssl_.async_read_some(asio::buffer(into.data(), into.size()), asio::redirect_error(asio::use_awaitable, ec));
    // A peer that closes without close_notify is common; HTTP framing tells whether anything is missing.
    if (ec == asio::error::eof || ec == boost::asio::ssl::error::stream_truncated) co_return 0;
    if (ec) co_return ioError(ec);
    co_return n;
  }

  Task<Status> write(std::string_view bytes) override {
    boost::system::error_code ec;
    co_await asio::async_write(ssl_, asio::buffer(bytes.data(), bytes.size()),
                               asio::redirect_error(asio::use_awaitable, ec));
    if (ec) co_return ioError(ec);
    co_return Status{};
  }

  Task<Status> writev(std::span<const std::string_view> parts) override {
    // One TLS record per call is cheaper than one per part while the parts are small.
    std::string joined;
    std::size_t total = 0;
    for (const auto part : parts) total += part.size();
    if (total <= 16384) {
      joined.reserve(total);
      for (const auto part : parts) joined += part;
      auto written = co_await write(joined);
      co_return written;
    }
    for (const auto part : parts) {
      auto written = co_await write(part);
      if (!written) co_return written;
    }
    co_return Status{};
  }

  void shutdownWrite() override {
    SSL_shutdown(ssl_.native_handle());  // queues close_notify; what is in the BIO goes with the FIN or not at all
    boost::system::error_code ignored;
    ssl_.next_layer().shutdown(tcp::socket::shutdown_send, ignored);
  }

  void close() override {
    boost::system::error_code ignored;
    ssl_.next_layer().close(ignored);
  }

  bool peerClosed() override {
    if (!ssl_.next_layer().is_open()) return true;
    pollfd p{ssl_.next_layer().native_handle(), POLLRDHUP, 0};
    return ::poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
  }

 private:
  std::shared_ptr<Context> context_;
  asio::ssl::stream<tcp::socket> ssl_;
};

std::vector<std::string> nameEntries(X509_NAME* name, int nid) {
  std::vector<std::string> out;
  for (int i = X509_NAME_get_index_by_NID(name, nid, -1); i >= 0; i = X509_NAME_get_index_by_NID(name, nid, i)) {
    unsigned char* text = nullptr;
    const int size = ASN1_STRING_to_UTF8(&text, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, i)));
    if (size >= 0) out.emplace_back(reinterpret_cast<char*>(text), static_cast<std::size_t>(size));
    OPENSSL_free(text);
  }
  return out;
}

Peer identityOf(SSL* ssl) {
  Peer peer;
  peer.tls = true;
  X509* certificate = SSL_get1_peer_certificate(ssl);
  if (!certificate) return peer;
  if (SSL_get_verify_result(ssl) == X509_V_OK) {
    X509_NAME* subject = X509_get_subject_name(certificate);
    auto names = nameEntries(subject, NID_commonName);
    if (!names.empty()) peer.certCommonName = std::move(names.back());
    peer.certOrganizations = nameEntries(subject, NID_organizationName);
  }
  X509_free(certificate);
  return peer;
}

}  // namespace

Result<std::shared_ptr<TlsContext>> TlsContext::server(const CertificatePem& identity, const std::string& clientCa,
                                                       bool http2) {
  SLIP_TRY(auto context, makeContext(asio::ssl::context::tls_server));
  SLIP_CHECK(useIdentity(context->ssl, identity));
  // The argument only tells null from not null.
  SSL_CTX_set_alpn_select_cb(context->ssl.native_handle(), chooseProtocol, http2 ? context.get() : nullptr);
  static constexpr unsigned char kSessionContext[] = "slipway";
  SSL_CTX_set_session_id_context(context->ssl.native_handle(), kSessionContext, sizeof kSessionContext - 1);
  if (!clientCa.empty()) {
    boost::system::error_code ec;
    context->ssl.add_certificate_authority(asio::buffer(clientCa), ec);
    if (ec) return fail(Code::Invalid, "TLS client CA: " + ec.message());
    // Verification never fails the handshake here; identityOf() looks at its result.
    SSL_CTX_set_verify(context->ssl.native_handle(), SSL_VERIFY_PEER, [](int, X509_STORE_CTX*) { return 1; });
  }
  return std::shared_ptr<TlsContext>(std::move(context));
}

Result<std::shared_ptr<TlsContext>> TlsContext::client(const std::string& ca, const CertificatePem* identity, bool verify) {
  SLIP_TRY(auto context, makeContext(asio::ssl::context::tls_client));
  context->verify = verify;
  boost::system::error_code ec;
  if (ca.empty())
    context->ssl.set_default_verify_paths(ec);
  else
    context->ssl.add_certificate_authority(asio::buffer(ca), ec);
  if (ec) return fail(Code::Invalid, "TLS certificate authority: " + ec.message());
  if (identity) SLIP_CHECK(useIdentity(context->ssl, *identity));
  context->ssl.set_verify_mode(verify ? asio::ssl::verify_peer : asio::ssl::verify_none, ec);
  static constexpr unsigned char kProtocols[] = "\x08http/1.1";
  SSL_CTX_set_alpn_protos(context->ssl.native_handle(), kProtocols, sizeof kProtocols - 1);
  return std::shared_ptr<TlsContext>(std::move(context));
}

Task<Result<TlsAccepted>> tlsAccept(std::shared_ptr<TlsContext> context, tcp::socket socket) {
  auto stream = std::make_unique<TlsStream>(std::static_pointer_cast<Context>(context), std::move(socket));
  boost::system::error_code ec;
  co_await stream->ssl().async_handshake(asio::ssl::stream_base::server, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return fail(Code::Unavailable, "TLS handshake: " + ec.message());
  Peer peer = identityOf(stream->ssl().native_handle());
  co_return TlsAccepted{std::move(stream), std::move(peer)};
}

Task<Result<std::unique_ptr<ByteStream>>> tlsConnect(std::shared_ptr<TlsContext> context, tcp::socket socket,
                                                     std::string serverName, bool http2) {
  auto ours = std::static_pointer_cast<Context>(context);
  auto stream = std::make_unique<TlsStream>(ours, std::move(socket));
  boost::system::error_code ec;
  asio::ip::make_address(serverName, ec);
  if (ec) SSL_set_tlsext_host_name(stream->ssl().native_handle(), serverName.c_str());  // no SNI for addresses (RFC 6066 §3)
  if (ours->verify) stream->ssl().set_verify_callback(asio::ssl::host_name_verification(serverName));
  static constexpr unsigned char kHttp2[] = "\x02h2";
  if (http2) SSL_set_alpn_protos(stream->ssl().native_handle(), kHttp2, sizeof kHttp2 - 1);
  ec = {};
  co_await stream->ssl().async_handshake(asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, ec));
  if (ec) co_return fail(Code::Unavailable, "TLS handshake with " + serverName + ": " + ec.message());
  const unsigned char* agreed = nullptr;
  unsigned agreedSize = 0;
  if (http2) SSL_get0_alpn_selected(stream->ssl().native_handle(), &agreed, &agreedSize);
  if (http2 && std::string_view(reinterpret_cast<const char*>(agreed), agreedSize) != "h2")
    co_return fail(Code::BadGateway, serverName + " does not speak HTTP/2: it did not agree to h2 by ALPN");
  co_return std::unique_ptr<ByteStream>(std::move(stream));
}

}  // namespace slipway::net

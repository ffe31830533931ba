#include "net/tls_stream.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/ssl/context.hpp>

#include "net/tls_socket.h"

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
  return context;
}

SSL_CTX* native(const std::shared_ptr<TlsContext>& context) { return static_cast<Context&>(*context).ssl.native_handle(); }

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
  auto stream = std::make_unique<TlsSocket>(native(context), std::move(socket));
  Status accepted = co_await stream->accept();
  if (!accepted) co_return fail(Code::Unavailable, "TLS handshake: " + accepted.error().message);
  Peer peer = identityOf(stream->ssl());
  co_return TlsAccepted{std::move(stream), std::move(peer)};
}

Task<Result<std::unique_ptr<ByteStream>>> tlsConnect(std::shared_ptr<TlsContext> context, tcp::socket socket,
                                                     std::string serverName, bool http2) {
  auto stream = std::make_unique<TlsSocket>(native(context), std::move(socket));
  boost::system::error_code notAddress;
  asio::ip::make_address(serverName, notAddress);
  SSL* ssl = stream->ssl();
  if (notAddress) SSL_set_tlsext_host_name(ssl, serverName.c_str());  // no SNI for addresses (RFC 6066 §3)
  if (static_cast<Context&>(*context).verify) {
    SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const int named = notAddress ? SSL_set1_host(ssl, serverName.c_str())
                                 : X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), serverName.c_str());
    if (named != 1) co_return fail(Code::Invalid, "TLS: '" + serverName + "' is no name of a server");
  }
  static constexpr unsigned char kHttp2[] = "\x02h2";
  if (http2) SSL_set_alpn_protos(ssl, kHttp2, sizeof kHttp2 - 1);
  Status connected = co_await stream->connect();
  if (!connected) co_return fail(Code::Unavailable, "TLS handshake with " + serverName + ": " + connected.error().message);
  const unsigned char* agreed = nullptr;
  unsigned agreedSize = 0;
  if (http2) SSL_get0_alpn_selected(ssl, &agreed, &agreedSize);
  if (http2 && std::string_view(reinterpret_cast<const char*>(agreed), agreedSize) != "h2")
    co_return fail(Code::BadGateway, serverName + " does not speak HTTP/2: it did not agree to h2 by ALPN");
  co_return std::unique_ptr<ByteStream>(std::move(stream));
}

}  // namespace slipway::net
